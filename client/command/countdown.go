package command

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// A countdown is what a login says while it waits: on a terminal its last line
// shows for how long, elsewhere it is said once that it waits.
type countdown struct {
	live bool // w is a terminal
	// columns returns how wide that is, 0 if nobody knows.
	columns func() int

	mu    sync.Mutex // guards what follows
	w     io.Writer
	shown bool
}

// say writes a line for people above the last one.
func (c *countdown) say(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	fmt.Fprintln(c.w, text)
}

func (c *countdown) clear() {
	if c.shown {
		fmt.Fprint(c.w, "\r\x1b[K")
		c.shown = false
	}
}

// start counts down, until the function that it returns is called: then nothing of
// it is left on the terminal.
func (c *countdown) start(left time.Duration) (stop func()) {
	if !c.live {
		c.say("waiting for the approval (Ctrl-C stops)")
		return func() {}
	}
	end, over := time.Now().Add(left), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			c.show(max(0, time.Until(end)))
			select {
			case <-second.C:
			case <-over:
				return
			}
		}
	})
	return func() {
		close(over)
		wg.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.clear()
	}
}

func (c *countdown) show(left time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	seconds := int(left.Round(time.Second) / time.Second)
	text := fmt.Sprintf("%d:%02d left", seconds/60, seconds%60)
	// A line that does not fit would not be cleared, but followed by others.
	if long := "waiting for the approval: " + text + " (Ctrl-C stops)"; c.columns() == 0 || len(long) < c.columns() {
		text = long
	}
	fmt.Fprint(c.w, text)
	c.shown = true
}
