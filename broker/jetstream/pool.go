package jetstream

import (
	"context"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
)

// pool works off questions on a few goroutines, each with an asker. Callers
// only queue. Organizations have turns, and none has the whole queue or all
// goroutines, so that what many devices of one ask for at once does not keep
// those of others waiting.
type pool struct {
	conn *nats.Conn
	log  *slog.Logger

	mu      sync.Mutex // guards the fields below
	come    sync.Cond  // a task, or the end
	most    int        // tasks that may wait
	workers int
	waiting int
	lines   map[string]*line // of organizations with tasks
	turns   []*line          // those with tasks that wait
	closed  bool
	ended   bool // nobody works any more
}

// line is the tasks of one organization; "" is the node itself.
type line struct {
	org     string
	tasks   []task
	running int
}

// task is called once. Without an asker the pool is closed, and whoever waits
// must hear so.
type task func(ctx context.Context, a *asker)

func newPool(conn *nats.Conn, queue int, log *slog.Logger) *pool {
	p := &pool{conn: conn, log: log, most: queue, lines: make(map[string]*line)}
	p.come.L = &p.mu
	return p
}

// offer queues a task of an organization unless too many wait, of it or of all,
// or the pool is closed.
func (p *pool) offer(org string, t task) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.waiting >= p.most {
		return false
	}
	l := p.lines[org]
	if l == nil {
		l = &line{org: org}
		p.lines[org] = l
	}
	if org != "" && len(l.tasks) >= (p.most+1)/2 {
		return false
	}
	if len(l.tasks) == 0 {
		p.turns = append(p.turns, l)
	}
	l.tasks = append(l.tasks, t)
	p.waiting++
	p.come.Signal()
	return true
}

// work runs tasks until ctx ends.
func (p *pool) work(ctx context.Context) {
	p.mu.Lock()
	p.workers++
	p.mu.Unlock()
	a, err := newAsker(p.conn)
	if err != nil {
		// The connection is closed, which ends the bus.
		p.log.Error("the log cannot be read", slog.Any("error", err))
	} else {
		defer a.close()
	}
	defer context.AfterFunc(ctx, p.end)()
	for {
		l, t := p.next()
		if l == nil {
			return
		}
		t(ctx, a)
		p.done(l)
	}
}

// end wakes those who work, as there is nothing more to do.
func (p *pool) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.come.Broadcast()
}

// next waits for the task whose turn it is; nil at the end.
func (p *pool) next() (*line, task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.ended {
		for i, l := range p.turns {
			if l.org == "" || l.running < p.share() {
				return l, p.take(i)
			}
		}
		p.come.Wait()
	}
	return nil, nil
}

// share is how many goroutines work for one organization at a time.
func (p *pool) share() int { return max(1, p.workers*3/4) }

// take takes the first task of the line at i, which then is the last to have a
// turn. It is called with mu held.
func (p *pool) take(i int) task {
	l := p.turns[i]
	p.turns = append(p.turns[:i], p.turns[i+1:]...)
	t := l.tasks[0]
	if l.tasks[0], l.tasks = nil, l.tasks[1:]; len(l.tasks) > 0 {
		p.turns = append(p.turns, l)
	}
	p.waiting--
	l.running++
	return t
}

// done notes that a task has ended. Another of its line may have waited for that.
func (p *pool) done(l *line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.running--
	switch {
	case len(l.tasks) > 0:
		p.come.Signal()
	case l.running == 0:
		delete(p.lines, l.org)
	}
}

// close refuses new tasks and turns away those that wait, once nobody works.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	turns := p.turns
	p.turns, p.waiting = nil, 0
	p.mu.Unlock()
	for _, l := range turns {
		for _, t := range l.tasks {
			t(context.Background(), nil)
		}
	}
}
