package api

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestTime(t *testing.T) {
	want := time.Date(2026, 4, 27, 18, 40, 0, 0, time.UTC)
	for _, s := range []string{"2026-04-27 18:40:00", "2026-04-27T18:40:00Z", "2026-04-27T20:40:00+02:00", "2026-04-27T18:40:00.999Z"} {
		var got Time
		if err := json.Unmarshal([]byte(`"`+s+`"`), &got); err != nil || !got.Equal(want) {
			t.Errorf("%s = %v, %v", s, got, err)
		}
	}
	b, err := json.Marshal(NewTime(want.In(time.FixedZone("", 7200))))
	if err != nil || string(b) != `"2026-04-27 18:40:00"` {
		t.Errorf("wrote %s, %v", b, err)
	}
	for _, s := range []string{`""`, `"tomorrow"`, `5`, `"2026-04-27"`, `"2026-13-01 00:00:00"`, `{}`} {
		var got Time
		if err := json.Unmarshal([]byte(s), &got); err == nil {
			t.Errorf("%s was taken as %v", s, got)
		}
	}
	var p struct{ T *Time }
	if err := json.Unmarshal([]byte(`{"T":null}`), &p); err != nil || p.T != nil {
		t.Errorf("null: %v, %v", p.T, err)
	}
	if _, err := json.Marshal(NewTime(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))); err == nil {
		t.Error("a year without a wire form was written")
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-04-27 18:40:00", "2026-04-27T18:40:00Z", "0000-01-01 00:00:00", "9999-12-31T23:59:59-23:59"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := ParseTime(s)
		if err != nil {
			return
		}
		text, err := parsed.MarshalText()
		if err != nil {
			return // an offset can push a time out of the years with a form
		}
		if back, err := ParseTime(string(text)); err != nil || !back.Equal(parsed.Time) {
			t.Fatalf("%q → %s → %v, %v", s, text, back, err)
		}
	})
}

func TestErrorIsItsCode(t *testing.T) {
	var err error = &Error{Status: 403, Message: "waits", Code: PendingApproval, Details: &Details{GrantID: "g", RequestedKeys: []string{"A"}, AgentID: "a", ProjectName: "p"}}
	if !errors.Is(err, PendingApproval) || errors.Is(err, GrantDenied) {
		t.Error("the code is not in the chain")
	}
	b, _ := json.Marshal(err)
	want := `{"error":"waits","error_code":"pending_approval","details":{"grant_id":"g","requested_keys":["A"],"agent_id":"a","project_name":"p"}}`
	if string(b) != want {
		t.Errorf("wire form %s", b)
	}
	if errors.Unwrap(&Error{Message: "x"}) != nil {
		t.Error("an error without code unwraps to something")
	}
}

// The nullable members of list rows are always present.
func TestNullableMembersArePresent(t *testing.T) {
	for _, row := range []struct {
		v    any
		want string
	}{
		{Secret{}, `{"id":"","key_path":"","secret_type":"","description":null,"namespace":"","is_honey_token":false,"created_at":"0001-01-01 00:00:00"}`},
		{Device{}, `{"id":"","user_code":"","status":"","agent_id":null,"created_at":"0001-01-01 00:00:00","approved_at":null,"proved":false,"hostname":null,"last_used_at":null}`},
		{CreatedGrant{}, `{"id":"","project_name":"","secret_id":"","secret_key_path":"","env_var_name":null}`},
		{RevokedProject{Revoked: true, ProjectName: "p"}, `{"revoked":true,"project_name":"p"}`},
	} {
		if b, err := json.Marshal(row.v); err != nil || string(b) != row.want {
			t.Errorf("%T\n got %s\nwant %s (%v)", row.v, b, row.want, err)
		}
	}
	b, _ := json.Marshal(AuditRow{})
	if n := strings.Count(string(b), "null"); n != 11 || strings.Count(string(b), `":`) != 17 {
		t.Errorf("audit row: %s", b)
	}
}

func TestImportsOnlyStd(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for imp := range strings.Lines(string(out)) {
		if strings.Contains(imp, ".") {
			t.Errorf("imports %s", imp)
		}
	}
}
