package daemon

import "io"

// waitHangup returns when the other end sends no more.
func (c *connection) waitHangup() { io.Copy(io.Discard, c.UnixConn) }
