package redteam

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What is tried with values that a daemon holds for an outage.
var heldMoves = map[string]hostMove{"held-memory": heldMemory}

// Users of the host read the memory of a daemon that holds a value.
func heldMemory(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	h.Admin(t, http.MethodPut, "/admin/projects/"+project+"/settings", object{"offline_ttl_seconds": 3600}, nil)
	if h.gets(t, h.alice, project, variable) != value {
		t.Fatal("nothing is delivered")
	}
	if r := finish(t, h.cortex(t, h.alice, "daemon", "status", "--sock", h.sock)); !strings.Contains(r.stdout, project+", until ") {
		t.Fatalf("nothing is held: %+v", r)
	}
	reads := func(who somebody, pid string) bool {
		return finish(t, h.as(t.Context(), who, "sh", "-c", `cat "/proc/$1/maps" > /dev/null && exec 3< "/proc/$1/mem"`, "sh", pid)).status == 0
	}
	for _, who := range []somebody{h.alice, h.grace, h.bob} {
		if !reads(who, "self") {
			t.Fatalf("%s cannot even read what is open", who.name)
		}
		if reads(who, fmt.Sprint(h.daemon.Cmd.Process.Pid)) {
			t.Logf("%s reads it", who.name)
			return open
		}
	}
	return stopped
}
