package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// A server that is killed twenty times while it rotates its key, in the midst of
// wrapping and in the midst of compacting, goes on each time with the new password
// and no other. In the end everything opens, the trail verifies, and nothing of
// what the old keys wrapped is left in the file.
func TestRotationKilled(t *testing.T) {
	const each, tries = 10, 100
	r := newRotator(t, 8000)
	landed := map[phase]int{}
	for try := 0; landed[wrapping] < each || landed[compacting] < each; try++ {
		if try == tries {
			t.Fatalf("too few of the kills landed where they should: %v", landed)
		}
		aim := wrapping
		if landed[wrapping] > landed[compacting] {
			aim = compacting
		}
		r.killOnce(aim)
		in := r.phase()
		if landed[in]++; landed[in] == 1 {
			r.refuseOld()
		}
	}
	t.Logf("kills landed while %v", landed)
	server := r.start()
	r.await(rotationState.finished)
	r.readAll()
	r.stop(server)
	r.refuseOld()
	r.verifyAudit()
	if n := r.oldWraps(); n > 0 {
		t.Errorf("%d old wraps are in the file", n)
	}
	if _, err := os.Stat(r.file() + ".compact"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a compaction left its file: %v", err)
	}
}

// A rotator rotates the key of a vault whose server is killed.
type rotator struct {
	*stage
	http       *load // to the server that runs
	passwords  []string
	secrets    int
	compaction time.Duration        // how long one took
	old        map[[8]byte][48]byte // wraps that were, by how they begin
}

// newRotator returns the rotator of a vault with many secrets, whose key was
// rotated once without disturbance.
func newRotator(t *testing.T, secrets int) *rotator {
	t.Helper()
	r := &rotator{stage: newStage(t), passwords: []string{e2e.Password}, secrets: secrets, old: map[[8]byte][48]byte{}}
	server := r.start()
	for from := 0; from < secrets; from += 1000 {
		var lines strings.Builder
		for i := from; i < min(from+1000, secrets); i++ {
			fmt.Fprintf(&lines, "S%d=value %d\n", i, i)
		}
		body, err := json.Marshal(map[string]string{"format": "dotenv", "content": lines.String()})
		if err != nil {
			t.Fatal(err)
		}
		r.admin("POST", "/admin/secrets/bulk", string(body))
	}
	r.begin()
	r.await(func(s rotationState) bool { return s.FinishedAt != nil })
	began := time.Now()
	r.await(rotationState.finished)
	r.compaction = time.Since(began)
	r.stop(server)
	r.remember()
	if n := r.oldWraps(); n < secrets {
		t.Fatalf("%d wraps are seen in the file", n)
	}
	return r
}

func (r *rotator) file() string { return filepath.Join(r.dir, "vault.db") }

func (r *rotator) password() string { return r.passwords[len(r.passwords)-1] }

// start starts the server with the newest password.
func (r *rotator) start() *process {
	r.t.Helper()
	r.env = append(r.env, "CORTEX_KEK_PASSWORD="+r.password())
	server := r.serve()
	r.http = r.load()
	return server
}

// A rotationState is the answer of GET /admin/rotate-key.
type rotationState struct {
	ToVersion  int     `json:"to_version"`
	Rewrapped  int     `json:"rewrapped"`
	FinishedAt *string `json:"finished_at"`
	Compacting bool    `json:"compacting"`
}

func (s rotationState) finished() bool { return s.FinishedAt != nil && !s.Compacting }

// await asks how far the rotation is until it is as far as wanted.
func (r *rotator) await(enough func(rotationState) bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		status, answer, err := r.http.do("GET", "/admin/rotate-key", "", asAdmin)
		var s rotationState
		if status == http.StatusOK {
			err = json.Unmarshal(answer, &s)
		}
		if err != nil {
			r.t.Fatalf("status %d, %v", status, err)
		}
		if enough(s) {
			return
		}
	}
	r.t.Fatal("the rotation does not come that far")
}

// begin begins a rotation, and returns once there is no way back.
func (r *rotator) begin() {
	r.t.Helper()
	next := fmt.Sprint("password ", len(r.passwords)+1)
	go r.http.do("POST", "/admin/rotate-key", fmt.Sprintf(`{"new_kek_password":%q}`, next), asAdmin) // whatever it says: it may be killed
	r.passwords = append(r.passwords, next)
	r.await(func(s rotationState) bool { return s.ToVersion == len(r.passwords) })
}

// killOnce has the server go on with a rotation, or begin one, and kills it at
// some moment, if possible in that phase.
func (r *rotator) killOnce(in phase) {
	r.t.Helper()
	under := r.phase()
	another := under == neither || under == compacting && in == wrapping
	if another {
		r.remember()
	}
	server := r.start()
	if another {
		r.await(rotationState.finished)
		r.begin()
	}
	if in == wrapping {
		some := rand.IntN(r.secrets)
		r.await(func(s rotationState) bool { return s.Rewrapped >= some || s.FinishedAt != nil })
	} else {
		r.await(func(s rotationState) bool { return s.FinishedAt != nil })
		<-time.After(rand.N(r.compaction / 2))
	}
	if err := server.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	server.wait(r.t)
}

// refuseOld wants no password to open the vault that was replaced.
func (r *rotator) refuseOld() {
	r.t.Helper()
	r.env = append(r.env, "CORTEX_KEK_PASSWORD="+r.passwords[len(r.passwords)-2])
	_, stderr, err := r.run("cortex", "verify-audit")
	if err == nil || !strings.Contains(stderr, "password") {
		r.t.Fatalf("an old password: %v, %s", err, stderr)
	}
	r.env = append(r.env, "CORTEX_KEK_PASSWORD="+r.password())
}

// readAll reads every secret.
func (r *rotator) readAll() {
	r.t.Helper()
	var all []struct {
		ID   string `json:"id"`
		Path string `json:"key_path"`
	}
	_, answer, err := r.http.do("GET", "/admin/secrets", "", asAdmin)
	if err := errors.Join(err, json.Unmarshal(answer, &all)); err != nil || len(all) != r.secrets {
		r.t.Fatalf("%d secrets, %v", len(all), err)
	}
	var wg sync.WaitGroup
	for w := range crowd {
		wg.Go(func() {
			for i := w; i < len(all); i += crowd {
				want := "value " + strings.TrimPrefix(all[i].Path, "S")
				if got, status, err := r.http.read(all[i].ID); err != nil || got != want {
					r.t.Errorf("%s: %q, status %d, %v", all[i].Path, got, status, err)
				}
			}
		})
	}
	wg.Wait()
}
