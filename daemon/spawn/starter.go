package spawn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A Starter starts programs. Make it with [NewStarter].
type Starter struct {
	launch  launcher
	lacking atomic.Uint32 // a bare
	warming sync.WaitGroup
	mu      sync.Mutex // guards what follows
	spare   *Run       // nil while there is none
	coming  bool       // a spare is being made
	closed  bool
	changed chan struct{} // closed when there may be a monitor to have
}

// ErrClosed is returned by a Starter that was closed.
var ErrClosed = errors.New("no programs are started any more")

// NewStarter returns a Starter and begins to make a spare monitor.
//
// With adopt, this process becomes the parent of what a program leaves behind
// that killed its monitor, and kills it, where the system can do that. It then
// takes every child for such a one, and must have none of its own.
func NewStarter(adopt bool) *Starter {
	var p parent
	if adopt {
		p.strays = newStrays()
	}
	return newStarter(p.launch)
}

// NewRemoteStarter returns a Starter whose programs are of the users of the
// [Spawner]s at some sockets: each user has one program at a time. One that finds
// none free waits a while, and then there is [ErrBusy].
func NewRemoteStarter(socks ...string) *Starter {
	s := &Starter{changed: make(chan struct{})}
	s.launch = newPool(socks, func() {
		s.tell()
		s.warm()
	}).launch
	s.warm()
	return s
}

func newStarter(launch launcher) *Starter {
	s := &Starter{launch: launch, changed: make(chan struct{})}
	s.warm()
	return s
}

// tell wakes those who wait for a monitor.
func (s *Starter) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Close ends the spare monitor. Programs that run are not touched.
func (s *Starter) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.warming.Wait()
	s.mu.Lock()
	spare := s.spare
	s.spare = nil
	s.mu.Unlock()
	if spare != nil {
		spare.unused()
		spare.Kill()
		<-spare.Done()
	}
}

// warm makes a spare monitor in the background, unless there is one.
func (s *Starter) warm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.coming || s.spare != nil {
		return
	}
	s.coming = true
	s.warming.Go(func() {
		r, err := newMonitor(s.launch, s.note)
		defer s.tell()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.coming = false
		if err == nil { // else the next program's start will tell
			s.spare = r
		}
	})
}

// freeTimeout is how long a program waits for a user that it can be.
const freeTimeout = 5 * time.Second

// take returns the spare monitor if it is alive, else a new one.
func (s *Starter) take(ctx context.Context) (*Run, error) {
	var late <-chan time.Time
	for {
		r, changed, err := s.tryTake()
		if !errors.Is(err, ErrBusy) {
			return r, err
		}
		if late == nil {
			late = time.After(freeTimeout)
		}
		select {
		case <-changed:
		case <-late:
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryTake is take that does not wait. When it may be worth another try, changed is
// closed.
func (s *Starter) tryTake() (r *Run, changed <-chan struct{}, err error) {
	s.mu.Lock()
	r, closed, changed := s.spare, s.closed, s.changed
	s.spare = nil
	s.mu.Unlock()
	if closed {
		return nil, changed, ErrClosed
	}
	if r != nil {
		select {
		case <-r.done:
			r.unused()
		default:
			return r, changed, nil
		}
	}
	r, err = newMonitor(s.launch, s.note)
	return r, changed, err
}

// short is how long a program may take until its end is not waited for any more.
const short = 20 * time.Millisecond

// warmAfter makes a spare monitor when a program has ended, or has run for a while: before,
// that would be in the way of one that is short, and of who waits for it.
func (s *Starter) warmAfter(r *Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.warming.Go(func() {
		late := time.NewTimer(short)
		defer late.Stop()
		select {
		case <-r.Done():
		case <-late.C:
		}
		s.warm()
	})
}

// Start starts a program. The files of spec may be closed and its secrets
// wiped once it returns. Errors are a [StartError] for a program that cannot
// be executed, [ErrSpec] for one that never could, or others. When ctx ends
// before the program is there, there will be none.
func (s *Starter) Start(ctx context.Context, spec Spec) (*Run, error) {
	form, err := spec.encode()
	if err != nil {
		return nil, err
	}
	defer clear(form)
	r, err := s.take(ctx)
	if err != nil {
		s.warm()
		return nil, err
	}
	err = r.start(ctx, form, spec)
	if errors.Is(err, errLost) && ctx.Err() == nil {
		// Somebody killed the spare one.
		r.Kill()
		if r, err = s.take(ctx); err == nil {
			err = r.start(ctx, form, spec)
		}
	}
	if err != nil {
		s.warm()
		if r != nil {
			r.Kill()
			if len(spec.Exposed) > 0 {
				<-r.Done() // and they are gone
			}
		}
		return nil, err
	}
	s.warmAfter(r)
	return r, nil
}
