package jetstream

import (
	"context"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
)

// pool works off questions on a few goroutines, each with an asker. Callers
// only queue.
type pool struct {
	conn  *nats.Conn
	log   *slog.Logger
	tasks chan task

	mu     sync.RWMutex // guards closed; held to send to tasks
	closed bool
}

// task is called once. Without an asker the pool is closed, and whoever waits
// must hear so.
type task func(ctx context.Context, a *asker)

func newPool(conn *nats.Conn, queue int, log *slog.Logger) *pool {
	return &pool{conn: conn, log: log, tasks: make(chan task, queue)}
}

// offer queues a task unless too many wait or the pool is closed.
func (p *pool) offer(t task) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return false
	}
	select {
	case p.tasks <- t:
		return true
	default:
		return false
	}
}

// work runs tasks until ctx ends.
func (p *pool) work(ctx context.Context) {
	a, err := newAsker(p.conn)
	if err != nil {
		// The connection is closed, which ends the bus.
		p.log.Error("the log cannot be read", slog.Any("error", err))
	} else {
		defer a.close()
	}
	for {
		select {
		case t := <-p.tasks:
			t(ctx, a)
		case <-ctx.Done():
			return
		}
	}
}

// close refuses new tasks and turns away those that wait, once nobody works.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for {
		select {
		case t := <-p.tasks:
			t(context.Background(), nil)
		default:
			return
		}
	}
}
