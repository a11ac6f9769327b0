package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// A committer runs updates. Whatever queued up while the last commit was
// written to disk goes into the next one; there is no timer, so an update that
// comes alone is committed alone and at once.
//
// After a commit all its callers are ready to run again, and many will come
// back with their next update. The first to come would have the disk to itself
// and the others wait for it, so half of all commits would be for one update.
// The committer therefore waits until each of them has run, if only for a
// moment: for the scheduler's turn, not for what they do. A caller that works
// alone waits for nobody. (Yielding would not do: where the processors are busy
// with other things, whoever yields comes last.)
//
// The updates of a batch run in order in one transaction, each seeing what the
// ones before it wrote. One that fails without having written is skipped. One
// that wrote and failed is taken out, and the others run again without it.
// Nobody is answered before the commit, because even a refusal may rest on what
// an earlier update of the batch wrote.
type committer struct {
	db *DB
	wg sync.WaitGroup // the goroutine

	mu        sync.Mutex // guards what follows
	some      sync.Cond  // ready
	queue     []*update
	returning int // callers that were answered and have not run since
	closed    bool

	batch   []*update // being run; the goroutine's own
	reserve *reserve  // likewise
	gave    int       // likewise: how often, for this batch
	stopped bool      // likewise: it has nothing more to do

	commits, updates atomic.Uint64
}

func newCommitter(db *DB, r *reserve) *committer {
	c := &committer{db: db, reserve: r}
	c.some.L = &c.mu
	c.wg.Go(c.run)
	return c
}

// add queues an update, or returns ErrClosed.
func (c *committer) add(u *update) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.queue = append(c.queue, u)
	c.wake()
	return nil
}

// ready reports whether it is time to take the queue.
func (c *committer) ready() bool {
	return c.closed || len(c.queue) > 0 && c.returning == 0
}

// wake wakes the goroutine if there is something for it to do.
func (c *committer) wake() {
	if c.ready() {
		c.some.Signal()
	}
}

// expect notes that n callers are about to be answered.
func (c *committer) expect(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.returning += n
}

// returned notes that a caller took up its answer.
func (c *committer) returned() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.returning--
	c.wake()
}

// close commits what is queued and stops the goroutine. More than one may call
// it; each returns when it has stopped.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.some.Signal()
	c.mu.Unlock()
	c.wg.Wait()
}

// run is the goroutine. An update that calls runtime.Goexit ends it; another
// then takes over what is left of the batch.
func (c *committer) run() {
	defer func() {
		if !c.stopped {
			c.wg.Go(c.run)
		}
	}()
	for len(c.batch) > 0 || c.take() {
		c.answer(c.commit())
	}
	c.stopped = true
}

// take fills the batch with what is queued, and waits if nothing is. It returns
// false when closed and there is nothing left.
func (c *committer) take() bool {
	for len(c.batch) == 0 {
		c.mu.Lock()
		for !c.ready() {
			c.some.Wait()
		}
		queue := c.queue
		c.queue = nil
		c.mu.Unlock()
		if len(queue) == 0 {
			return false
		}
		c.accept(queue)
	}
	return true
}

// accept puts the updates into the batch whose callers still wait.
func (c *committer) accept(queue []*update) {
	for _, u := range queue {
		if !u.state.CompareAndSwap(waiting, taken) {
			continue
		}
		if err := u.alive(); err != nil {
			c.expect(1)
			u.finish(err)
			continue
		}
		c.batch = append(c.batch, u)
	}
}

// commit runs the batch until nobody in it has to be taken out any more, and
// returns what became of the commit.
func (c *committer) commit() error {
	c.gave = 0
	c.restore()
	for vain := c.db.twice; ; vain = false {
		if err := c.db.failure(); err != nil {
			return err
		}
		again, err := c.attempt(vain)
		if !again {
			return err
		}
	}
}

// attempt runs the batch in one transaction and commits it, if not in vain. It
// reports whether the batch is to be run again.
func (c *committer) attempt(vain bool) (again bool, err error) {
	c.db.writing.Lock()
	defer c.db.writing.Unlock()
	e := c.db.engine.Load()
	engine, err := e.begin(true)
	if err != nil {
		return false, c.db.fail(fmt.Errorf("beginning transaction: %w", err))
	}
	defer engine.Rollback() // after a commit it does nothing
	s := c.db.sessions.enter()
	defer s.leave()
	t := newCore(c.db, e, engine, s)
	t.noting = c.db.changed != nil
	for _, u := range c.batch {
		if !u.out && !u.run(t) {
			return true, nil
		}
	}
	if vain {
		return true, nil
	}
	if t.writes == 0 {
		return false, nil
	}
	if c.refuse() {
		return true, nil
	}
	id := engine.ID()
	c.db.marks.set(t.written, uint64(id))
	if err := guard(engine.Commit); err != nil {
		err := c.db.uncommitted(e, err, id, t)
		return c.give(err), err
	}
	c.db.changed.add(t.changed)
	c.count()
	return false, nil
}

// count keeps the statistics of a commit.
func (c *committer) count() {
	c.commits.Add(1)
	for _, u := range c.batch {
		if !u.failed() {
			c.updates.Add(1)
		}
	}
}

// answer tells everybody in the batch what became of it. If the commit failed,
// that is the answer also for who failed after having seen what was not
// committed.
func (c *committer) answer(err error) {
	batch := c.batch
	c.batch = nil
	c.expect(len(batch))
	for _, u := range batch {
		if u.failed() && (u.alone || u.end != returned) {
			u.finish(nil)
			continue
		}
		u.finish(err)
	}
}

// restore makes the reserve whole again, once there is room.
func (c *committer) restore() {
	if c.reserve.whole() {
		return
	}
	c.db.writing.Lock()
	defer c.db.writing.Unlock()
	switch err := c.reserve.restore(); {
	case err != nil:
		c.db.log.Error("the reserve cannot be restored", "err", err)
	case c.reserve.whole():
		c.db.log.Info("there is room on the disk again: the reserve is restored")
	}
}

// refuse takes those out of the batch who may not write while the reserve is not
// whole, and reports whether there were any.
func (c *committer) refuse() (some bool) {
	if c.reserve.whole() {
		return false
	}
	for _, u := range c.batch {
		if u.wrote && !u.out && !c.reserve.serves(u.share) {
			u.out, u.err, some = true, ErrFull, true
		}
	}
	return some
}

// maxGiven bounds how often the reserve is asked for one batch: where the limit is
// another than the disk's, to give it up does not help.
const maxGiven = 8

// give makes a little room after a commit that found none, if somebody in the
// batch may have it. It reports whether to try again.
func (c *committer) give(err error) bool {
	if !errors.Is(err, ErrFull) || c.gave == maxGiven {
		return false
	}
	var most Share
	for _, u := range c.batch {
		if u.wrote && !u.out {
			most = max(most, u.share)
		}
	}
	c.gave++
	return c.reserve.give(most)
}
