package jetstream

import (
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// share is this node's part in one share group.
type share struct {
	groupKey

	shares *shares
	shard  int
	name   string // of the consumer
	refs   int    // guarded by shares.mu

	// room is how many more messages the edge takes, as it said last, less those
	// that came since. wanting says that talker is to compare it with asked.
	room    atomic.Int64
	wanting atomic.Bool

	mu      sync.Mutex // guards the fields below; nothing is called under it
	expiry  time.Duration
	waiting []func(error) // for the consumer
	making  bool          // the consumer is being made
	made    time.Duration // the expiry that it was made for
	ready   bool          // there is a consumer
	ended   bool          // the last member left
	asked   int           // messages that are asked for and have not come
	heard   time.Time     // the last that came of it: a message, a heartbeat, an end
	pulls   uint64        // requests so far
	sub     *nats.Subscription
	inbox   string
}

const (
	// pullLeast is how many messages one request is for, if there is room. The
	// server serves requests in turn, so that nodes get messages as they have
	// room for them.
	pullLeast = 32
	// pullMost is how many requests a node has open for one group.
	pullMost = 32
	// pullBytes ends a request early: what is on its way here is in memory.
	pullBytes = 8 << 20

	nextMessage   = "$JS.API.CONSUMER.MSG.NEXT."
	headerMissing = "Nats-Pending-Messages"

	statusBeat = "100"
)

// enter makes the consumer if need be; ready is called when it is there.
func (g *share) enter(expiry time.Duration, ready func(error)) {
	g.mu.Lock()
	longer := longestExpiry(g.expiry, expiry)
	var err error
	if g.ended {
		err = errClosed
	}
	known := err != nil || (g.ready && longer == g.made)
	g.expiry = longer
	if !known {
		g.waiting = append(g.waiting, ready)
		g.make()
	}
	g.mu.Unlock()
	if known {
		ready(err)
	}
}

// make has the consumer made, away from the caller. It is called with mu held.
func (g *share) make() {
	if g.making || g.ended {
		return
	}
	g.making = true
	s, expiry := g.shares, g.expiry
	s.work.Go(func() {
		s.making <- struct{}{}
		err := s.makeConsumer(s.ctx, g, expiry)
		<-s.making
		g.have(expiry, err)
	})
}

// have notes what became of the consumer and tells those who wait, unless one
// of them wants it to live longer.
func (g *share) have(expiry time.Duration, err error) {
	if err == nil {
		g.listen()
	}
	g.mu.Lock()
	g.making = false
	if err == nil {
		g.ready, g.made = !g.ended, expiry
		if expiry != g.expiry {
			g.make()
		}
	}
	var waiting []func(error)
	if !g.making {
		waiting, g.waiting = g.waiting, nil
	}
	g.mu.Unlock()
	g.compare()
	for _, ready := range waiting {
		ready(err)
	}
}

// dismiss ends the membership; hangUp follows.
func (g *share) dismiss() {
	g.mu.Lock()
	g.ended, g.ready = true, false
	waiting := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	for _, ready := range waiting {
		ready(errClosed)
	}
}

// listen opens an inbox for messages, and gives up the one before.
func (g *share) listen() {
	conn := g.shares.bus.side
	inbox := conn.NewInbox()
	sub, err := conn.Subscribe(inbox+".*", g.answer)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // requests bound what comes
	}
	if err != nil { // the connection is closed
		g.shares.bus.cfg.Logger.Error("no messages of a share group", slog.String("filter", g.filter), slog.Any("error", err))
		return
	}
	g.mu.Lock()
	old := g.sub
	if g.ended {
		old = sub
	} else {
		g.sub, g.inbox, g.asked, g.heard = sub, inbox, 0, time.Now()
	}
	g.mu.Unlock()
	drain(old)
}

// hangUp gives the inbox up, and with it all requests: the server finds nobody
// there. What it has sent before is still received.
func (g *share) hangUp() {
	g.mu.Lock()
	sub := g.sub
	g.sub, g.asked = nil, 0
	g.mu.Unlock()
	drain(sub)
}

func drain(sub *nats.Subscription) {
	if sub != nil {
		_ = sub.Drain() // fails only when the connection is closed
	}
}

// want notes how much room the members have.
func (g *share) want(n int) {
	g.room.Store(int64(n))
	g.compare()
}

// compare has talker ask for what there is room for.
func (g *share) compare() {
	if g.wanting.CompareAndSwap(false, true) {
		g.shares.talker.want(g)
	}
}

// requests are for as many messages as there is room for and not asked for. Few
// are asked for with others that follow soon.
func (g *share) requests() []word {
	g.wanting.Store(false)
	room := int(g.room.Load())
	g.mu.Lock()
	defer g.mu.Unlock()
	missing := room - g.asked
	if !g.ready || g.sub == nil || missing <= 0 {
		return nil
	}
	size := max(pullLeast, (room+pullMost-1)/pullMost)
	if g.asked > 0 && missing < min(size, (room+1)/2) {
		return nil
	}
	if g.asked == 0 {
		g.heard = time.Now()
	}
	g.asked += missing
	var words []word
	for ; missing > 0; missing -= size {
		words = append(words, g.request(min(size, missing)))
	}
	return words
}

// request asks for n messages. It is called with mu held.
func (g *share) request(n int) word {
	g.pulls++
	t := g.shares.times
	return word{
		subject: nextMessage + streamName(g.shard) + "." + g.name,
		reply:   g.inbox + "." + strconv.FormatUint(g.pulls, 10),
		data: fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d,"max_bytes":%d}`,
			n, t.expires, t.beat, max(pullBytes, g.shares.bus.maxPayload)),
	}
}

// answer takes what the server says: a message, or something about a request.
func (g *share) answer(m *nats.Msg) {
	status := m.Header.Get(headerStatus)
	g.mu.Lock()
	g.heard = time.Now()
	current := m.Sub == g.sub
	if current && status == "" {
		g.asked = max(0, g.asked-1)
		g.room.Add(-1)
	}
	g.mu.Unlock()
	switch {
	case status == "":
		g.receive(m)
	case current && status != statusBeat:
		g.ends(status, m)
	}
}

// ends notes that a request is over. One that says how much it leaves undone
// is done, has expired, or brought as many bytes as it may; otherwise the
// consumer has moved to another server, or is gone.
func (g *share) ends(status string, m *nats.Msg) {
	if m.Header.Get(headerMissing) != "" {
		g.mu.Lock()
		g.asked = max(0, g.asked-int(number(m, headerMissing))) //nolint:gosec // what we asked for
		g.mu.Unlock()
		g.compare()
		return
	}
	g.shares.bus.cfg.Logger.Info("a share group's consumer is not where it was",
		slog.String("filter", g.filter), slog.String("status", status), slog.String("description", m.Header.Get("Description")))
	g.hangUp()
	g.mu.Lock()
	g.ready = false // look makes sure that there is one
	g.mu.Unlock()
}

// look asks again when the server has been silent for too long, or everything
// that was asked over a connection was lost with it.
func (g *share) look(now time.Time, lost bool) {
	g.mu.Lock()
	renew := g.ready && (lost || (g.asked > 0 && now.Sub(g.heard) > 5*g.shares.times.beat/2))
	if !g.ready {
		g.make()
	}
	g.mu.Unlock()
	if renew {
		g.listen()
		g.compare()
	}
}
