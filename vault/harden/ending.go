package harden

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// endings are the signals by which people and supervisors end a process. Left
// to themselves, SIGQUIT and SIGABRT would have the Go runtime print the
// registers and the stacks of all goroutines, and words of keys may stand there.
var endings = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGABRT}

// An Ended is the cause of a context that a signal has ended. It is a
// [context.Canceled].
type Ended struct{ Signal syscall.Signal }

// Error names the signal.
func (e Ended) Error() string { return fmt.Sprintf("interrupted by a signal: %v", e.Signal) }

// Is reports whether target is [context.Canceled].
func (e Ended) Is(target error) bool { return target == context.Canceled }

// Status returns the exit status that shells have for it: 128 and the signal's
// number.
func (e Ended) Status() int { return 128 + int(e.Signal) }

// UntilSignal returns a context that ends with parent, or at the first SIGINT,
// SIGTERM, SIGQUIT or SIGABRT, or one of the others, with an [Ended] as its cause.
// Signals that were ignored when the program started stay so: that is how nohup
// works. Further signals do nothing until stop is called.
func UntilSignal(parent context.Context, others ...os.Signal) (ctx context.Context, stop context.CancelFunc) {
	ctx, end := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	for _, s := range slices.Concat(endings, others) {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		select {
		case s := <-signals:
			end(Ended{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		end(nil)
	}
}

// Outliving is [UntilSignal] for a role that outlives its terminal: a parent
// that SIGHUP has ended does not end it.
func Outliving(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	outlived, end := context.WithCancelCause(context.WithoutCancel(parent))
	forget := context.AfterFunc(parent, func() {
		if cause := context.Cause(parent); cause != (Ended{syscall.SIGHUP}) {
			end(cause)
		}
	})
	ctx, done := UntilSignal(outlived)
	return ctx, func() {
		forget()
		done()
		end(nil)
	}
}
