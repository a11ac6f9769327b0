package vault

import (
	"maps"
	"slices"
	"sync"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// watchRoom is how many events wait for a reader. One that is slower hears
// that it missed some, but no freeze is among them: asking again does not tell of it.
const watchRoom = 64

// A notice is an event on its way, and whom it is for: one session, one agent,
// the agents of one namespace, or all of them.
type notice struct {
	Event
	session   string
	agent     string // row id
	namespace string
	but       map[string]map[string]OnFreeze // the agents of it, as keys, that are told another
	everyone  bool
	// pending is for those who wait for requests and decisions.
	pending bool
}

// reaches reports whether a daemon, as authenticated, is told.
func (n notice) reaches(by access.Caller) bool {
	switch {
	case n.session != "":
		return n.session == by.Credential
	case n.agent != "":
		return n.agent == by.ID
	case n.namespace != "":
		return n.namespace == by.Namespace && n.but[by.ID] == nil
	}
	return n.everyone
}

// tell has n told once the operation is committed.
func (o *op) tell(n notice) { o.notices = append(o.notices, n) }

// news tells those who watch what was committed. Nobody polls the store, and
// whoever commits waits for no reader. The zero value is ready.
type news struct {
	mu      sync.Mutex // guards what follows, and the insides of watches
	watches map[*Watch]struct{}
	streams map[string]*Watch // by session
}

// A Watch hears of what was committed since it was made. It must be closed.
type Watch struct {
	news    *news
	session string // if there may be one of them only
	wants   func(notice) bool
	ready   chan struct{}

	queue []Event // guarded by news.mu, as is ended
	ended error
}

// watch begins to listen for the notices that wants says. Of a session there is
// one watch: a new one ends the old one with [ErrReplaced].
func (n *news) watch(session string, wants func(notice) bool) *Watch {
	w := &Watch{news: n, session: session, wants: wants, ready: make(chan struct{}, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watches == nil {
		n.watches, n.streams = map[*Watch]struct{}{}, map[string]*Watch{}
	}
	if session != "" {
		if old := n.streams[session]; old != nil {
			n.drop(old)
			old.end(ErrReplaced)
		}
		n.streams[session] = w
	}
	n.watches[w] = struct{}{}
	return w
}

// drop forgets a watch.
func (n *news) drop(w *Watch) {
	delete(n.watches, w)
	if w.session != "" && n.streams[w.session] == w {
		delete(n.streams, w.session)
	}
}

// publish tells what an operation had to tell.
func (n *news) publish(o *op) {
	if len(o.notices) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, told := range o.notices {
		told.Seq, told.At = o.seq, o.now
		for w := range n.watches {
			if w.wants(told) {
				w.add(told.Event)
			}
		}
	}
}

// hear tells one watch alone.
func (w *Watch) hear(notices []notice) {
	w.news.mu.Lock()
	defer w.news.mu.Unlock()
	for _, told := range notices {
		if w.wants(told) {
			w.add(told.Event)
		}
	}
}

// end ends every watch.
func (n *news) end(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watches {
		n.drop(w)
		w.end(err)
	}
}

// add queues an event. Where there is no room, all but the freezes give way to the one
// event that says so. There are as many freezes as administrators made, each once.
func (w *Watch) add(e Event) {
	freezes := e.Kind == EventFreeze
	if freezes {
		w.queue = slices.DeleteFunc(w.queue, func(q Event) bool {
			return q.Kind == EventFreeze && q.What == e.What && q.Name == e.Name && q.Project == e.Project
		})
	}
	full := len(w.queue) >= watchRoom && !freezes
	if full {
		e = Event{Kind: EventResync, OnFreeze: e.OnFreeze}
	}
	if e.Kind == EventResync {
		rules := map[string]OnFreeze{}
		w.queue = slices.DeleteFunc(w.queue, func(q Event) bool {
			if q.Kind == EventResync {
				maps.Copy(rules, q.OnFreeze)
			}
			return q.Kind == EventResync || full && q.Kind != EventFreeze
		})
		maps.Copy(rules, e.OnFreeze)
		e.OnFreeze = fewest(rules)
	}
	w.queue = append(w.queue, e)
	w.wake()
}

func (w *Watch) end(err error) {
	w.ended = err
	w.wake()
}

func (w *Watch) wake() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// Ready is sent to when there is something to take.
func (w *Watch) Ready() <-chan struct{} { return w.ready }

// Take returns what was heard since the last time, oldest first. The error
// says that nothing more will come: [ErrSealed] or [ErrReplaced].
func (w *Watch) Take() ([]Event, error) {
	w.news.mu.Lock()
	defer w.news.mu.Unlock()
	all := w.queue
	w.queue = nil
	return all, w.ended
}

// Close ends the watch.
func (w *Watch) Close() {
	w.news.mu.Lock()
	defer w.news.mu.Unlock()
	w.news.drop(w)
}

// listen is [news.watch] for a vault that is not sealed.
func (v *Vault) listen(session string, wants func(notice) bool) (*Watch, error) {
	// The keys are held for a moment only. Sealing ends all watches once it has
	// taken them, so that none is made behind its back.
	_, release, err := v.use()
	if err != nil {
		return nil, err
	}
	defer release()
	return v.news.watch(session, wants), nil
}

// tellProject has n told to every agent with a token of a project.
func (o *op) tellProject(namespace, project string, n notice) error {
	for t, err := range tokens.All(o.Tx, store.Join(namespace, project)) {
		if err != nil {
			return err
		}
		n.agent = t.Agent
		o.tell(n)
	}
	return nil
}

// tellHolders has n told to every agent with a token that names a secret, once
// for each project, with the variables that hold it.
func (o *op) tellHolders(secretID string, n notice) error {
	for g, err := range grantsBySecret.All(o.Tx, store.Key(secretID)) {
		if err != nil {
			return err
		}
		if err := o.tellGranted(g, n); err != nil {
			return err
		}
	}
	return nil
}

// tellGranted has n told to every agent with a token that rests on a grant.
func (o *op) tellGranted(g grantRow, n notice) error {
	for t, err := range tokens.All(o.Tx, store.Join(g.Namespace, g.Project)) {
		if err != nil {
			return err
		}
		n.Variables = nil
		for _, m := range t.Mappings {
			if m.Grant == g.ID {
				n.Variables = append(n.Variables, m.Env)
			}
		}
		if len(n.Variables) == 0 {
			continue
		}
		slices.Sort(n.Variables)
		n.agent, n.Project = t.Agent, t.Project
		o.tell(n)
	}
	return nil
}

// tellChanged tells who holds a secret that it has another value.
func (o *op) tellChanged(s secretRow) error {
	return o.tellHolders(s.ID, notice{Event: Event{Kind: EventSecretChanged}})
}

// tellResync tells everybody that what they have may be stale.
func (o *op) tellResync() { o.tell(notice{Event: Event{Kind: EventResync}, everyone: true}) }

// tellRevoked tells an agent that its token ended.
func (o *op) tellRevoked(t tokenRow) {
	o.tell(notice{Event: Event{Kind: EventRevoke, Project: t.Project}, agent: t.Agent})
}

// tellEnded tells a daemon that its session ended.
func (o *op) tellEnded(s sessionRow) {
	o.tell(notice{Event: Event{Kind: EventSessionEnded}, session: s.ID})
}

// tellPending tells that a request was made, decided or deleted.
func (o *op) tellPending(p pendingRow, status string) {
	o.tell(notice{
		Event: Event{Kind: EventGrantDecided, Project: p.Project, Variables: p.variables(approvedItem), GrantID: p.ID, Status: status},
		agent: p.Agent, pending: true,
	})
}
