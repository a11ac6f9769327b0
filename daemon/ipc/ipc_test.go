package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOneLineClients(t *testing.T) {
	r, err := ParseRequest([]byte(`{"cmd":"run","program":"python3","args":["main.py","--x"],"project":"my-app","url":"https://v:3000","env_file":null,"since":"later"}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Request{Cmd: "run", Program: "python3", Args: []Text{"main.py", "--x"}, Project: "my-app", URL: new("https://v:3000")}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v", r)
	}
	if _, err := ParseRequest([]byte(`{"cmd":"run",` + manyMembers(maxMembers-1) + `}`)); err != nil {
		t.Errorf("as many members as may be: %v", err)
	}
	if r, err := ParseRequest([]byte(`{"cmd":"status"}`)); err != nil || r.Cmd != CmdStatus {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestLine(t *testing.T) {
	want := Request{
		Cmd: CmdRun, V: VersionExposed, Program: "sh", Args: []Text{"-c", "", "\xff\xfe", "\u2028<&>", `{"base64":"eA=="}`}, Project: "p",
		FDs: []string{FileCWD, FileStdin}, Names: &[]string{"A", "B"}, Env: []Text{"A=1", "B=\x80"}, Umask: new(0o22), Wait: time.Minute, Timeout: time.Second, Aliases: []string{"C=A"},
		Files: []string{"D=E"}, Templates: []string{"app/config=G"}, TemplateFiles: []string{"G=sub/app=.conf"}, Stdin: "F",
		Limits: []Limit{{Resource: 7, Soft: 1, Hard: 1<<64 - 1}},
	}
	line, err := Line(want)
	if err != nil || bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
		t.Fatalf("%q, %v", line, err)
	}
	got, err := ParseRequest(line)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if s, err := ParseSignal([]byte(`{"signal":15}`)); err != nil || s.Signal != 15 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Line(Request{Cmd: strings.Repeat("x", MaxLine)}); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
}

// A list is written as its texts are one by one.
func TestTextList(t *testing.T) {
	for _, list := range [][]Text{
		{}, {""}, {"a", "<b> & \u2028", "\"\\\n\x00"}, {"\xff", "a"}, {"a", "\xed\xa0\x80"}, {`{"base64":"eA=="}`}, {"\U0001f600"},
	} {
		want, errWant := json.Marshal(list)
		got, err := json.Marshal(TextList(list))
		if err != nil || errWant != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %s, want %s (%v, %v)", list, got, want, err, errWant)
		}
	}
}

// manyMembers returns n members that nobody knows.
func manyMembers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"m%d":0`, i)
	}
	return strings.Join(list, ",")
}

// tooManyFurther returns a request with one descriptor more than may be.
func tooManyFurther() string {
	r := Request{Cmd: CmdRun, V: VersionFurther}
	for n := range MaxFurther + 1 {
		r.FDs = append(r.FDs, FileFurther(3+n))
	}
	b, _ := json.Marshal(r)
	return string(b)
}

func TestRefused(t *testing.T) {
	for _, line := range []string{
		``, `null`, `[]`, `1`, `"run"`, `{`, `{"cmd":"run"`, `{"cmd":"run"} x`, `{"cmd":"run"}{}`, `{}`, `{"cmd":null}`, `{"cmd":""}`,
		`{"cmd":"run","cmd":"status"}`, `{"cmd":"run","other":1,"other":2}`, `{"CMD":"run"}`, `{"cmd":"run","Names":[]}`,
		`{"cmd":"run","limit\u017f":[]}`,
		`{"cmd":7}`, `{"cmd":"run","args":"x"}`, `{"cmd":"run","args":[1]}`, `{"cmd":"run","names":"A"}`,
		`{"cmd":"run","program":"a\u0000b"}`, `{"cmd":"run","args":["\u0000"]}`, `{"cmd":"run","program":{"base64":"AA=="}}`,
		`{"cmd":"run","program":{"base64":"!"}}`, `{"cmd":"run","program":{"base64":"eA=\n="}}`, `{"cmd":"run","program":{}}`, `{"cmd":"run","program":{"base64":"eB=="}}`,
		`{"cmd":"run","env":["A"]}`, `{"cmd":"run","env":["=x"]}`, `{"cmd":"run","env":["A=\u0000"]}`, `{"cmd":"run","env":[""]}`,
		`{"cmd":"run","v":6}`, `{"cmd":"run","v":-1}`, `{"cmd":"run","fds":["cwd"]}`, `{"cmd":"run","v":1,"fds":["cwd","cwd"]}`, `{"cmd":"run","v":1,"fds":["tty"]}`,
		`{"cmd":"run","umask":512}`, `{"cmd":"run","umask":-1}`, `{"cmd":"run","umask":1.5}`,
		`{"cmd":"run","wait":-1}`, `{"cmd":"run","wait":9223372036854775808}`, `{"cmd":"run","timeout":-1}`,
		`{"cmd":"run","names":[],"aliases":["A"]}`, `{"cmd":"run","names":[],"aliases":["=A"]}`, `{"cmd":"run","names":[],"aliases":["A="]}`,
		`{"cmd":"run","names":[],"aliases":["A=B\n"]}`, `{"cmd":"run","aliases":["A=B"]}`,
		`{"cmd":"run","v":2,"names":[],"files":["A"]}`, `{"cmd":"run","v":2,"names":[],"files":["A=B=C"]}`, `{"cmd":"run","v":2,"files":["A=B"]}`, `{"cmd":"run","v":1,"names":[],"templates":["a=B"]}`, `{"cmd":"run","v":2,"names":[],"templates":["a="]}`,
		`{"cmd":"run","v":2,"names":[],"canary":true}`, `{"cmd":"run","v":3,"canary":true}`, `{"cmd":"run","v":3,"names":["A"],"canary":true}`, `{"cmd":"run","v":3,"names":[],"stdin":"A","canary":true}`,
		`{"cmd":"run","v":3,"names":[],"Canary":true}`, `{"cmd":"run","v":3,"names":[],"ssh":["A"],"canary":true}`, `{"cmd":"run","v":3,"names":[],"files":["A=B"],"canary":true}`,
		`{"cmd":"run","v":3,"names":[],"templates":["a=B"],"template_files":["B=p"]}`, `{"cmd":"run","v":4,"names":[],"templates":["a=B"],"template_files":["a=p"]}`,
		`{"cmd":"run","v":4,"names":[],"templates":["a=B"],"template_files":["B="]}`, `{"cmd":"run","v":4,"names":[],"templates":["a=B"],"template_files":["B=p\n"]}`,
		`{"cmd":"run","v":4,"names":[],"templates":["a=B"],"template_files":["B=p","B=q"]}`, `{"cmd":"run","v":4,"names":[],"templates":["a=B"],"template_files":["=p"]}`,
		`{"cmd":"run","v":4,"names":[],"templates":["a=B"],"Template_files":["B=p"]}`,
		`{"cmd":"run","v":1,"names":[],"files":["A=B"]}`, `{"cmd":"run","v":1,"names":[],"stdin":"A"}`, `{"cmd":"run","v":2,"stdin":"A"}`,
		`{"cmd":"run","v":2,"names":[],"Files":["A=B"]}`, `{"cmd":"run","v":2,"names":[],"files":["A=B"` + strings.Repeat(`,"A=B"`, maxSecretFiles) + `]}`,
		`{"cmd":"run","limits":[{"resource":-1}]}`, `{"cmd":"run","limits":[{"resource":99}]}`, `{"cmd":"run","limits":[{"resource":1,"soft":2,"hard":1}]}`,
		`{"cmd":"run","limits":[{"resource":1},{"resource":1}]}`,
		`{"cmd":"run","v":4,"fds":["cwd","fd3"]}`, `{"cmd":"run","v":5,"fds":["fd3","fd3"]}`, `{"cmd":"run","v":5,"fds":["fd2"]}`, `{"cmd":"run","v":5,"fds":["fd03"]}`, `{"cmd":"run","v":5,"fds":["fd65536"]}`, `{"cmd":"run","v":5,"fds":["fd-3"]}`, `{"cmd":"run","v":5,"fds":["fd"]}`, tooManyFurther(),
		`{"cmd":"run","ignored":[0]}`, `{"cmd":"run","ignored":[65]}`, `{"cmd":"run","ignored":[1,1]}`, `{"cmd":"run","blocked":[-1]}`, `{"cmd":"run","blocked":["1"]}`, `{"cmd":"run","Blocked":[]}`,
		`{"cmd":"run","schedule":{"nice":20}}`, `{"cmd":"run","schedule":{"nice":-21}}`, `{"cmd":"run","schedule":{"policy":-1}}`, `{"cmd":"run","schedule":{"io":65536}}`,
		`{"cmd":"run","schedule":{"Nice":1}}`, `{"cmd":"run","schedule":{"cpus":[0` + strings.Repeat(",0", MaxCPUs) + `]}}`, `{"cmd":"run","schedule":[]}`,
		`{"cmd":"run","project":"\ud800"}`, `{"cmd":"run","project":"\udc00\ud800"}`, `{"cmd":"run","project":"\ud800x\udc00"}`, `{"cmd":"run","project":"\ud8"}`,
		"{\"cmd\":\"run\",\"project\":\"\xff\"}",
		`{"cmd":"run",` + manyMembers(maxMembers) + `}`,
		`{"cmd":"run","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
	} {
		if r, err := ParseRequest([]byte(line)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
	}
	for _, line := range []string{`{"signal":0}`, `{"signal":65}`, `{"signal":"9"}`, `{"Signal":9}`, `9`, ``} {
		if s, err := ParseSignal([]byte(line)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", line, s, err)
		}
	}
	if _, err := ParseRequest(make([]byte, MaxLine+1)); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	for _, line := range []string{`{"cmd":"run","project":"\ud83d\ude00"}`, `{"cmd":"run","project":"\\ud800"}`, `{"cmd":"run","x":{"CMDS":1,"y":[[1]]}}`} {
		if _, err := ParseRequest([]byte(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// What is refused is not repeated: it may be a secret in the wrong place.
func TestErrorsQuoteNothing(t *testing.T) {
	for _, line := range []string{`{"cmd":"run","args":"sk-secret"}`, `sk-secret`, `{"cmd":"run","env":["sk-secret"]}`, `{"sk-secret":1,"sk-secret":2,"cmd":"run"}`} {
		if _, err := ParseRequest([]byte(line)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"cmd":"status"}`))
	f.Add([]byte(`{"cmd":"run","program":"a","args":["b",{"base64":"/w=="}],"project":"p","url":null,"env_file":".env"}`))
	f.Add([]byte(`{"cmd":"run","v":1,"fds":["cwd","stdin","stdout","stderr"],"names":["A"],"env":["A=1"],"umask":18,"ignored":[1],"blocked":[64,2],"schedule":{"nice":-20,"policy":3,"io":24576,"cpus":[18446744073709551615,0]},"limits":[{"resource":7,"soft":1,"hard":18446744073709551615}]}`))
	f.Add([]byte(`{"cmd":"run","v":3,"fds":["cwd"],"names":[],"canary":true}`))
	f.Add([]byte(`{"cmd":"run","v":5,"fds":["cwd","fd3","fd65535"]}`))
	f.Add([]byte(`{"cmd":"run","project":"\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRequest(line)
		if err != nil {
			return
		}
		if r.validate() != nil || r.Cmd == "" || len(r.FDs) > MaxFiles {
			t.Errorf("accepted %q as %+v", line, r)
		}
		again, err := Line(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(again, []byte("\n")) != 1 {
			t.Errorf("%q is not one line", again)
		}
		back, err := ParseRequest(again)
		if err != nil {
			t.Fatalf("%q became %q: %v", line, again, err)
		}
		once, _ := json.Marshal(r)
		twice, _ := json.Marshal(back)
		if !bytes.Equal(once, twice) {
			t.Errorf("%s became %s", once, twice)
		}
	})
}
