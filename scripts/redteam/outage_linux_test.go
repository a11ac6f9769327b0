package redteam

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is tried by keeping a daemon from its vault, where a project goes on without it.
var outageMoves = moves{
	"run-while-away":    runWhileAway,
	"outage-after-no":   outageAfterNo,
	"journal-unwritten": journalUnwritten,
	"held-on-disk":      heldOnDisk,
}

// An outage is a station whose way to the vault can be cut.
type outage struct {
	*site
	*station
	*cable
	variable, value string
}

// newOutage returns one that holds what it has fetched.
func newOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{site: newSite(t)}
	o.cable = newCable(t, o.site.addr())
	o.station = newStation(t, "http://"+o.cable.addr)
	o.variable, _, o.value = o.site.secret(t)
	o.site.Admin(t, http.MethodPut, "/admin/projects/app/settings", object{"offline_ttl_seconds": 3600}, nil)
	o.mustLogIn(t, o.site)
	o.start(t)
	if !o.has(t) {
		t.Fatal("nothing is delivered to begin with")
	}
	return o
}

// has reports whether a command gets the value.
func (o *outage) has(t *testing.T) bool {
	t.Helper()
	return o.gets(t, o.site, o.variable, o.value)
}

// hears reports whether a command does not get the value any more, soon.
func (o *outage) hears(t *testing.T) bool {
	t.Helper()
	for deadline := time.Now().Add(patience); o.has(t); {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// The vault cuts the agent off, and its daemon does not hear of it.
func runWhileAway(t *testing.T) outcome {
	t.Parallel()
	o := newOutage(t)
	other, _, another := o.site.secret(t)
	o.cut()
	o.site.Admin(t, http.MethodPost, "/admin/freeze", object{"kind": "agent", "name": o.station.agent}, nil)
	went := o.has(t)
	if o.gets(t, o.site, other, another) {
		return open
	}
	o.mend(t)
	if !o.hears(t) {
		return open
	}
	if !went {
		return stopped
	}
	for deadline := time.Now().Add(patience); len(o.trail(t, "offline_use")) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Logf("it is not on the record")
			return open
		}
	}
	return limited
}

// The daemon has heard that the agent is cut off, and then nothing more.
func outageAfterNo(t *testing.T) outcome {
	t.Parallel()
	o := newOutage(t)
	o.cut()
	if !o.has(t) {
		t.Fatal("it does not go on in an outage either")
	}
	o.mend(t)
	o.site.Admin(t, http.MethodPost, "/admin/freeze", object{"kind": "agent", "name": o.station.agent}, nil)
	if !o.hears(t) {
		t.Fatal("the agent is not cut off")
	}
	o.cut()
	return unless(o.has(t), stopped)
}

// There is something else in the place of the journal.
func journalUnwritten(t *testing.T) outcome {
	t.Parallel()
	o := newOutage(t)
	o.cut()
	if !o.has(t) {
		t.Fatal("it does not go on in an outage either")
	}
	path := o.journal(t)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	went := o.has(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if !o.has(t) {
		t.Fatal("it does not go on with its journal either")
	}
	return unless(went, stopped)
}

func (o *outage) journal(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(o.station.dir, ".cortex", "offline-*.journal"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	return found[0]
}

// All files of a host where values are held, and after its daemon was killed.
func heldOnDisk(t *testing.T) outcome {
	t.Parallel()
	o := newOutage(t)
	o.cut()
	if !o.has(t) {
		t.Fatal("it does not go on in an outage either")
	}
	search := func(text string) (found []string) {
		filepath.WalkDir(o.station.dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && !strings.HasPrefix(e.Name(), "got-") && holds(read(t, path), text) {
				found = append(found, path)
			}
			return nil
		})
		return found
	}
	held := search(o.value)
	o.daemon.Kill()
	if held = append(held, search(o.value)...); len(held) > 0 {
		t.Logf("found in %q", held)
		return open
	}
	if len(search(o.variable)) < 2 { // the list of names, and the journal
		t.Fatal("not even the name is found")
	}
	return stopped
}

// A cable leads from an address to another one, until it is cut.
type cable struct {
	addr, target string

	mu    sync.Mutex // guards conns
	l     net.Listener
	conns map[net.Conn]bool
}

func newCable(t *testing.T, target string) *cable {
	t.Helper()
	c := &cable{addr: "127.0.0.1:0", target: target}
	c.mend(t)
	t.Cleanup(c.cut)
	return c
}

// mend has it lead there again.
func (c *cable) mend(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.addr, c.l, c.conns = l.Addr().String(), l, map[net.Conn]bool{}
	c.mu.Unlock()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(conn)
		}
	}()
}

// cut ends all connections, and has it lead nowhere.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.l.Close()
	for conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func (c *cable) pass(conn net.Conn) {
	defer conn.Close()
	there, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer there.Close()
	c.mu.Lock()
	if c.conns == nil {
		c.mu.Unlock()
		return
	}
	c.conns[conn] = true
	c.mu.Unlock()
	go func() {
		io.Copy(there, conn)
		there.Close()
	}()
	io.Copy(conn, there)
	c.mu.Lock()
	delete(c.conns, conn)
	c.mu.Unlock()
}
