package harden

import (
	"context"
	"errors"
	"syscall"
	"testing"
)

func TestUntilSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGHUP} {
		ctx, stop := UntilSignal(t.Context(), syscall.SIGHUP)
		defer stop()
		raise(t, sig)
		<-ctx.Done()
		cause := context.Cause(ctx)
		if e, ok := errors.AsType[Ended](cause); !ok || e.Status() != 128+int(sig) || !errors.Is(cause, context.Canceled) {
			t.Errorf("%v: %v", sig, cause)
		}
		stop()
	}
}

// A role that outlives its terminal ends at what comes after SIGHUP, and at what
// had ended the command before the role began.
func TestOutliving(t *testing.T) {
	parent, stop := UntilSignal(t.Context(), syscall.SIGHUP)
	defer stop()
	ctx, done := Outliving(parent)
	defer done()
	raise(t, syscall.SIGHUP)
	<-parent.Done()
	if late, done := Outliving(parent); late.Err() != nil || ctx.Err() != nil {
		t.Error("SIGHUP has ended it")
	} else {
		done()
	}
	raise(t, syscall.SIGTERM)
	<-ctx.Done()

	for _, cause := range []error{Ended{syscall.SIGQUIT}, errors.New("another")} {
		parent, end := context.WithCancelCause(t.Context())
		end(cause)
		ctx, done := Outliving(parent)
		<-ctx.Done()
		if context.Cause(ctx) != cause {
			t.Errorf("ended by %v, not by %v", context.Cause(ctx), cause)
		}
		done()
	}
}

func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(syscall.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}
