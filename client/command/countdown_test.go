package command

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What is said while the time runs stands above it, and in the end nothing of it is
// left.
func TestCountdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		var wide atomic.Int64
		wide.Store(80)
		c := &countdown{w: &screen, live: true, columns: func() int { return int(wide.Load()) }}
		stop := c.start(61 * time.Second)
		time.Sleep(1500 * time.Millisecond)
		c.say("the server is away")
		time.Sleep(30 * time.Second)
		wide.Store(40)
		time.Sleep(2 * time.Second)
		wide.Store(0)
		time.Sleep(29 * time.Second)
		stop()
		c.say("done")
		var lines []string
		for line := range strings.Lines(screen.String()) {
			shown := strings.Split(line, "\r\x1b[K") // what stands there after each clearing
			for _, s := range shown {
				lines = append(lines, strings.TrimSuffix(s, "\n"))
			}
		}
		text := strings.Join(lines, "\n")
		begin := "waiting for the approval: 1:01 left (Ctrl-C stops)\nwaiting for the approval: 1:00 left (Ctrl-C stops)\nthe server is away\nwaiting for the approval: 0:59 left"
		if !strings.HasPrefix(text, begin) || !strings.HasSuffix(text, "waiting for the approval: 0:00 left (Ctrl-C stops)\ndone") || strings.Contains(text, ":-") || !strings.Contains(text, "\nwaiting for the approval: 0:30 left (Ctrl-C stops)\n0:29 left\n0:28 left\nwaiting") {
			t.Errorf("%s", text)
		}
	})
}

func TestCountdownElsewhere(t *testing.T) {
	var out bytes.Buffer
	c := &countdown{w: &out}
	stop := c.start(time.Minute)
	c.say("more")
	stop()
	if out.String() != "waiting for the approval (Ctrl-C stops)\nmore\n" {
		t.Errorf("%q", out.String())
	}
}
