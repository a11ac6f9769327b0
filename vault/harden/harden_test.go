package harden

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/locked"
)

func TestReport(t *testing.T) {
	r := Report{Measures: []Measure{
		{Name: "a", OK: true, Detail: "fine"},
		{Name: "b", Detail: "broken"},
		{Name: "c", OK: true, Detail: "fine"},
		{Name: "d", Detail: "missing"},
	}}
	if got := r.Missing(); !slices.Equal(got, []Measure{r.Measures[1], r.Measures[3]}) {
		t.Errorf("missing: %v", got)
	}
	if got := (Report{}).Missing(); got != nil {
		t.Errorf("missing of nothing: %v", got)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("started", "hardening", r)
	if want := `hardening.a=ok hardening.b=broken hardening.c=ok hardening.d=missing`; !strings.Contains(out.String(), want) {
		t.Errorf("logged as %s", &out)
	}
}

func TestRefuse(t *testing.T) {
	if err := Refuse([]string{"PATH=/bin", "LD_PRELOAD=", "LD_BIND_NOW=1", "DYLD_PRINT_LIBRARIES=1", "MY_LD_PRELOAD=x", "=LD_PRELOAD"}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_ORIGIN_PATH", "LD_PROFILE", "GCONV_PATH", "DYLD_INSERT_LIBRARIES", "DYLD_FALLBACK_LIBRARY_PATH", "DYLD_VERSIONED_FRAMEWORK_PATH"} {
		err, ok := errors.AsType[*ForeignError](Refuse([]string{"A=b", name + "=/secret/hook.so", "LD_PRELOAD=x"}))
		if !ok || err.Names[0] != name || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hook") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := (&ForeignError{[]string{"A", "B"}}).Without(); got != "env -u A -u B" {
		t.Error(got)
	}
}

func TestEnvironment(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    Measure
	}{
		{nil, Measure{"environment", true, "loads no foreign code"}},
		{[]string{"PATH=/bin", "LD_PRELOAD=", "=x", "novalue", "MY_LD_PRELOAD=x"}, Measure{"environment", true, "loads no foreign code"}},
		{[]string{"LD_PRELOAD=/tmp/secret.so"}, Measure{"environment", false, "can load foreign code: LD_PRELOAD"}},
		{[]string{"LD_AUDIT=a", "x=y", "DYLD_INSERT_LIBRARIES=b"}, Measure{"environment", false, "can load foreign code: LD_AUDIT, DYLD_INSERT_LIBRARIES"}},
	} {
		if got := environment(test.environ); got != test.want {
			t.Errorf("%q: %+v", test.environ, got)
		}
	}
}

// What is logged at the start and what a status says of it later are not the same: the
// memory that can be locked may be used up meanwhile.
func TestLater(t *testing.T) {
	r := Report{Measures: []Measure{{Name: "a"}, {Name: keyMemory, OK: true, Detail: "as it was"}}}
	now := r.Now()
	if now.Measures[0] != r.Measures[0] || now.Measures[1].Detail == "as it was" || r.Measures[1].Detail != "as it was" {
		t.Errorf("%+v, %+v", now, r)
	}
	var out bytes.Buffer
	r.Log(slog.New(slog.NewTextHandler(&out, nil)))
	if got := out.String(); !strings.Contains(got, "level=WARN") || strings.Count(got, "a protection is missing") != 1 {
		t.Errorf("logged as %s", got)
	}
}

func TestMemoryOf(t *testing.T) {
	gone := errors.New("locking: no more")
	for _, row := range []struct {
		report locked.Report
		ok     bool
		text   string
	}{
		{locked.Report{Buffers: 2, Secret: 2, Locked: 2, DontDump: 2, NotForked: 2}, true, "not even root"},
		{locked.Report{Buffers: 2, Secret: 1, Locked: 2, DontDump: 2, NotForked: 2}, true, "swap or core dumps"},
		{locked.Report{Buffers: 3, Locked: 1, DontDump: 3, NotForked: 3, Errors: []error{gone}}, false, "of 3 pages for keys 2 lack some of it: locking: no more"},
	} {
		if m := memoryOf(row.report); m.OK != row.ok || !strings.Contains(m.Detail, row.text) {
			t.Errorf("%+v: %+v", row.report, m)
		}
	}
}
