package spawn

import (
	"net"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// An exposure is a file on a disk.
type exposure struct {
	dir  int // that holds it, whatever that is called by now
	name string
	file int // open for writing
	id   unix.Stat_t
}

// within is how paths are followed: not over links, and not out of the directory.
const within = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// expose makes an empty file where there is none.
func expose(dir int, path string) (*exposure, error) {
	parent, name := filepath.Split(path)
	if parent == "" {
		parent = "."
	}
	at, err := unix.Openat2(dir, parent, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: within})
	if err != nil {
		return nil, err
	}
	e := &exposure{dir: at, name: name, file: -1}
	e.file, err = unix.Openat2(at, name, &unix.OpenHow{
		Flags: unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_CLOEXEC, Mode: 0o600, Resolve: within,
	})
	if err != nil {
		unix.Close(at)
		return nil, err
	}
	return e, unix.Fstat(e.file, &e.id)
}

// enter leaves the file's descriptors in a socket, for whoever has the other end: they
// stay there when this process is killed.
func (e *exposure) enter(ledger int) error {
	return unix.Sendmsg(ledger, []byte(e.name), unix.UnixRights(e.dir, e.file), nil, unix.MSG_DONTWAIT)
}

// settle removes the files that a monitor which was killed has left in its socket.
func settle(ledger *net.UnixConn) {
	name, oob := make([]byte, unix.NAME_MAX+1), make([]byte, unix.CmsgSpace(8))
	for {
		n, oobn, _, _, err := ledger.ReadMsgUnix(name, oob)
		if err != nil || n == 0 {
			return
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(messages) != 1 {
			continue
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 2 {
			continue
		}
		e := &exposure{dir: fds[0], name: string(name[:n]), file: fds[1]}
		if unix.Fstat(e.file, &e.id) == nil {
			e.remove()
		}
	}
}

// fill writes the text.
func (e *exposure) fill(text []byte) error {
	if err := unix.Fchmod(e.file, 0o600); err != nil { // whatever the mask is
		return err
	}
	for len(text) > 0 {
		n, err := unix.Write(e.file, text)
		if err != nil && err != unix.EINTR {
			return err
		}
		text = text[max(0, n):]
	}
	return nil
}

// remove empties the file, also where it was given another name, and removes it if it
// is still the one of its name.
func (e *exposure) remove() {
	unix.Ftruncate(e.file, 0)
	var now unix.Stat_t
	if unix.Fstatat(e.dir, e.name, &now, unix.AT_SYMLINK_NOFOLLOW) == nil && now.Ino == e.id.Ino && now.Dev == e.id.Dev {
		unix.Unlinkat(e.dir, e.name, 0)
	}
	unix.Close(e.file)
	unix.Close(e.dir)
}
