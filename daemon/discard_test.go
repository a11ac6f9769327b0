package daemon

import (
	"testing"
	"testing/synctest"
)

// Nobody waits for a client's descriptors to close, unless very many do not.
func TestDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := discarding
		defer func() { discarding = room }()
		discarding = make(chan struct{}, 2)
		wait, closed := make(chan struct{}), make(chan bool, 3)
		slow := func() {
			<-wait
			closed <- true
		}
		discard(slow)
		discard(slow)
		over := make(chan struct{})
		go func() {
			discard(slow)
			close(over)
		}()
		synctest.Wait()
		select {
		case <-over:
			t.Error("there is no bound")
		default:
		}
		close(wait)
		<-over
		synctest.Wait()
		if len(closed) != 3 || len(discarding) != 0 {
			t.Errorf("%d closed, %d under way", len(closed), len(discarding))
		}
	})
}
