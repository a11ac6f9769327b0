package owned

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// tree makes a/b/c, of directories that only we can write to, in a directory that
// everybody can write to, and delete only what is theirs.
func tree(t *testing.T) (a, c string) {
	t.Helper()
	a = filepath.Join(t.TempDir(), "a")
	c = filepath.Join(a, "b", "c")
	if err := os.MkdirAll(c, 0o700); err != nil {
		t.Fatal(err)
	}
	return a, c
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	me := os.Geteuid()
	a, c := tree(t)
	b := filepath.Dir(c)
	games := 60
	for _, row := range []struct {
		name string
		mode os.FileMode
		gid  int
		text string // "" if it is fine
	}{
		{"ours", 0o700, -1, ""},
		{"seen by all", 0o755, -1, ""},
		{"everybody", 0o777, -1, "everybody can write to " + b},
		{"everybody, who deletes only their own", 0o1777, -1, ""},
		{"a group", 0o775, games, "can write to " + b},
		{"a group, which deletes only its own", 0o1775, games, ""},
		{"root's group", 0o775, 0, ""},
	} {
		if row.gid >= 0 && me != 0 {
			continue // cannot be given away
		}
		do(t, os.Chown(b, -1, max(row.gid, 0)))
		do(t, os.Chmod(b, row.mode&0o777|map[bool]os.FileMode{true: os.ModeSticky}[row.mode&0o1000 != 0]))
		err := Check(c, me)
		if row.text == "" && err != nil || row.text != "" && (err == nil || !strings.Contains(err.Error(), row.text)) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	do(t, os.Chmod(b, 0o700))
	if err := Check(filepath.Join(a, "none"), me); !os.IsNotExist(err) && (err == nil || !strings.Contains(err.Error(), "no such file")) {
		t.Errorf("nothing there: %v", err)
	}
	if err := Check("/", me); err != nil {
		t.Errorf("the root: %v", err)
	}
}

// Of a file that is not ours, or in a directory that is not, its owner decides.
func TestOwners(t *testing.T) {
	need.Root(t, "give a directory away")
	a, c := tree(t)
	for _, path := range []string{a, filepath.Dir(c), c} {
		do(t, os.Chown(path, 65534, -1))
		if err := Check(c); err == nil || err.Error() != path+" belongs to uid 65534, who could replace it" {
			t.Errorf("%s: %v", path, err)
		}
		if err := Check(c, 65534); err != nil {
			t.Errorf("%s, of an owner: %v", path, err)
		}
		do(t, os.Chown(path, 0, -1))
	}
}

// The group that a user has for themselves is theirs; other first groups are many's.
func TestOwnGroup(t *testing.T) {
	private, err := user.Lookup("nobody")
	do(t, err)
	uid, _ := strconv.Atoi(private.Uid)
	gid, _ := strconv.Atoi(private.Gid)
	w := walk{owners: []int{uid}}
	if got, want := w.own(gid), groupName(gid) == "nobody"; got != want {
		t.Errorf("group %s of nobody: %t", groupName(gid), got)
	}
	mail, err := user.Lookup("games")
	if err != nil || mail.Username != "games" {
		need.Unmet(t, "no user and group of one name")
	}
	uid, _ = strconv.Atoi(mail.Uid)
	gid, _ = strconv.Atoi(mail.Gid)
	w = walk{owners: []int{uid}}
	if got, want := w.own(gid), groupName(gid) == "games"; got != want {
		t.Errorf("group %s of games: %t", groupName(gid), got)
	}
	if w = (walk{}); w.own(gid) {
		t.Error("a group of nobody who counts")
	}
}

// A link leads through what it names, and who can put another link there decides.
func TestLinks(t *testing.T) {
	me := os.Geteuid()
	a, c := tree(t)
	other := t.TempDir()
	link := filepath.Join(other, "link")
	do(t, os.Symlink(filepath.Dir(c), link))
	if err := Check(filepath.Join(link, "c"), me); err != nil {
		t.Error(err)
	}
	do(t, os.Chmod(a, 0o777))
	if err := Check(filepath.Join(link, "c"), me); err == nil || err.Error() != "everybody can write to "+a {
		t.Errorf("behind a link: %v", err)
	}
	do(t, os.Chmod(a, 0o700))
	do(t, os.Chmod(other, 0o777))
	if err := Check(filepath.Join(link, "c"), me); err == nil || err.Error() != "everybody can write to "+other {
		t.Errorf("around a link: %v", err)
	}
	do(t, os.Chmod(other, 0o700))
	do(t, os.Symlink("../"+filepath.Base(other)+"/self", filepath.Join(other, "self")))
	if err := Check(filepath.Join(other, "self"), me); err == nil || !strings.Contains(err.Error(), "too many levels") {
		t.Errorf("a link to itself: %v", err)
	}
	if me == 0 {
		do(t, os.Lchown(link, 65534, -1))
		if err := Check(filepath.Join(link, "c"), me); err == nil || !strings.Contains(err.Error(), link+" belongs to uid 65534") {
			t.Errorf("somebody else's link: %v", err)
		}
	}
}
