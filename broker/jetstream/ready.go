package jetstream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// interestPatience is how long an interest may wait for NATS before its
	// ready hears of it. The interest stays, and works once NATS is back.
	interestPatience = 30 * time.Second
	flushTimeout     = 2 * time.Second
	flushRetry       = 250 * time.Millisecond
)

// waiter wants to hear when NATS knows of a subscription.
type waiter struct {
	ready    func(error)
	deadline time.Time
}

func newWaiter(ready func(error)) waiter {
	return waiter{ready: ready, deadline: time.Now().Add(interestPatience)}
}

// flushed tells waiters once NATS has taken note of everything sent before. It
// returns those that must wait on.
func flushed(ctx context.Context, conn *nats.Conn, waiting []waiter) (again []waiter) {
	if len(waiting) == 0 {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, flushTimeout)
	err := conn.FlushWithContext(limit)
	cancel()
	now := time.Now()
	for _, w := range waiting {
		switch {
		case err == nil:
			w.ready(nil)
		// The error of a flush that a lost connection ended says "closed" too.
		case now.After(w.deadline) || conn.IsClosed():
			w.ready(broker.ErrUnavailable)
		default:
			again = append(again, w)
		}
	}
	return again
}

// dismissed tells waiters that nothing comes any more.
func dismissed(waiting []waiter) {
	for _, w := range waiting {
		w.ready(broker.ErrUnavailable)
	}
}
