package daemon

import (
	le "encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// What a user may do to a file, as in its mode.
const (
	mayEnter     = 1
	mayReadWrite = 6
)

// The entries of an access control list, by their tags in acl(5).
const (
	aclVersion  = 2
	aclOwner    = 0x01
	aclUser     = 0x02
	aclGroup    = 0x04
	aclMask     = 0x10
	aclOther    = 0x20
	aclNobodyID = 0xffffffff
)

// allow lets a user do that to a file of ours, which keeps out everybody else.
func allow(path string, uid int, may uint16) error {
	b := le.LittleEndian.AppendUint32(nil, aclVersion)
	entry := func(tag, may uint16, id uint32) {
		b = le.LittleEndian.AppendUint16(b, tag)
		b = le.LittleEndian.AppendUint16(b, may)
		b = le.LittleEndian.AppendUint32(b, id)
	}
	entry(aclOwner, 7, aclNobodyID)
	entry(aclUser, may, uint32(uid))
	entry(aclGroup, 0, aclNobodyID)
	entry(aclMask, may, aclNobodyID)
	entry(aclOther, 0, aclNobodyID)
	if err := unix.Lsetxattr(path, "system.posix_acl_access", b, 0); err != nil {
		return &os.PathError{Op: "setting the access control list of", Path: path, Err: err}
	}
	return nil
}
