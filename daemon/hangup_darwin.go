package daemon

import "math"

// waitHangup returns when the other end sends no more.
func (c *connection) waitHangup() { c.drain(math.MaxInt) }
