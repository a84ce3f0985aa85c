package jetstream

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// requestPrefix, an instance and requestVerb are where that instance takes
	// requests.
	requestPrefix = "node."
	requestVerb   = ".release"
	// requestPatience is how long an instance may take to answer.
	requestPatience = 5 * time.Second
)

// requests are what this node asks of other instances, and what it is asked.
type requests struct {
	mu      sync.Mutex // guards the fields below; nothing is called under it
	conn    *nats.Conn // nil until the first request
	inbox   string
	asked   map[uint64]request
	count   uint64
	serving *nats.Subscription
}

type request struct {
	fn   func(answer []byte, err error)
	late *time.Timer
}

// Ask has an instance do what it was told with OnAsk. fn is called once, from
// any goroutine, and must not block: with broker.ErrUnavailable at once if the
// instance is not connected to NATS, or if it does not answer in 5 seconds.
func (b *Bus) Ask(instance string, data []byte, fn func(answer []byte, err error)) {
	if b.Alone() || b.closed.Load() {
		fn(nil, broker.ErrUnavailable)
		return
	}
	r := &b.requests
	number, err := r.begin(b.drawer, fn)
	if err == nil {
		err = b.drawer.PublishMsg(&nats.Msg{
			Subject: requestPrefix + instance + requestVerb,
			Reply:   r.inbox + strconv.FormatUint(number, 10),
			Data:    data,
		})
	}
	if err != nil {
		r.end(number, nil, broker.ErrUnavailable)
	}
}

// begin notes a request, and listens for answers at the first.
func (r *requests) begin(conn *nats.Conn, fn func([]byte, error)) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		r.asked = make(map[uint64]request)
	}
	r.count++
	number := r.count
	r.asked[number] = request{fn: fn, late: time.AfterFunc(requestPatience, func() {
		r.end(number, nil, broker.ErrUnavailable)
	})}
	if r.conn != nil {
		return number, nil
	}
	r.inbox = conn.NewInbox() + "."
	if _, err := conn.Subscribe(r.inbox+"*", r.answered); err != nil {
		return number, err
	}
	r.conn = conn
	return number, nil
}

func (r *requests) answered(m *nats.Msg) {
	number, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, r.inbox), 10, 64)
	if err != nil {
		return
	}
	if m.Header.Get("Status") != "" { // nobody listens there
		r.end(number, nil, broker.ErrUnavailable)
		return
	}
	r.end(number, m.Data, nil)
}

func (r *requests) end(number uint64, answer []byte, err error) {
	r.mu.Lock()
	q, ok := r.asked[number]
	delete(r.asked, number)
	r.mu.Unlock()
	if ok {
		q.late.Stop()
		q.fn(answer, err)
	}
}

// OnAsk has fn called for every request to instance, this one, one after the
// other; instead of an earlier OnAsk, which hears nothing more. fn must not
// block; answer may be called later, from any goroutine. It returns once
// requests are sure to arrive.
func (b *Bus) OnAsk(instance string, fn func(data []byte, answer func([]byte))) error {
	if b.Alone() {
		return nil
	}
	s, err := b.drawer.Subscribe(requestPrefix+instance+requestVerb, func(m *nats.Msg) {
		fn(m.Data, func(data []byte) { _ = m.Respond(data) }) // whoever hears nothing has waited long enough
	})
	if err == nil {
		err = b.drawer.FlushTimeout(flushTimeout)
	}
	if err != nil {
		return fmt.Errorf("jetstream: requests to %s: %w", instance, err)
	}
	r := &b.requests
	r.mu.Lock()
	former := r.serving
	r.serving = s
	r.mu.Unlock()
	if former != nil {
		_ = former.Unsubscribe()
	}
	return nil
}
