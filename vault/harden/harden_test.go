package harden

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
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
