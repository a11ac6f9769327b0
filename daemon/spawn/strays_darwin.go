package spawn

import "os/exec"

// killTimeout is as long as endTimeout: what a monitor that was killed leaves in other
// sessions, nobody kills.
const killTimeout = endTimeout

// strays do not come to this process on macOS.
type strays struct{}

func newStrays() *strays { return nil }

func (*strays) start(cmd *exec.Cmd) error { return cmd.Start() }

func (*strays) ended(*exec.Cmd) {}

func (*strays) kill() {}
