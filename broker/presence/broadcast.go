package presence

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Announcer speaks to all nodes, this one included.
type Announcer interface {
	Announce(subject string, data []byte) error
	OnAnnounce(subject string, fn func(data []byte)) error
}

const (
	// subject is where nodes speak of claims.
	subject = "presence"
	// patience is how long a question waits for the answers of other nodes. All
	// of it passes, because any of them may know of a newer claim.
	patience = 500 * time.Millisecond
	// gossip is the least time between two announcements of the clock.
	gossip = 20 * time.Millisecond
	// maxQuestions bounds the questions under way on a node.
	maxQuestions = 1 << 16
)

// Broadcast keeps claims where they are made: every node knows its own, and is
// asked for them. Nodes tell each other how far their clocks are, so that the
// newer claim has the higher number; that a claim was lost is heard from the
// new owner of the session itself. It is safe for concurrent use.
type Broadcast struct {
	announcer Announcer
	patience  time.Duration
	log       *slog.Logger
	clock     Clock
	holdings  holdings
	mu        sync.Mutex // guards the fields below; nothing is called under it
	asked     map[string]*question
	gossiped  time.Time
	armed     bool // the clock is going to be announced
}

// question is one call of Holder that waits.
type question struct {
	found Holder
	fn    func(Holder, error)
}

// NewBroadcast joins the other nodes and learns how far their clocks are. A
// nil logger discards.
func NewBroadcast(announcer Announcer, log *slog.Logger) (*Broadcast, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &Broadcast{announcer: announcer, patience: patience, log: log, holdings: newHoldings(), asked: make(map[string]*question)}
	if err := announcer.OnAnnounce(subject, b.hear); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	b.announce(message{kind: kindHello})
	return b, nil
}

// Claim makes instance the holder of key; fn gets the claim's number. Of former
// holders only this node's is known.
func (b *Broadcast) Claim(key, instance string, fn func(number uint64, former string, err error)) {
	number := b.clock.Next()
	former := b.holdings.put(key, instance, number)
	b.spread()
	fn(number, former, nil)
}

// Release gives a claim back.
func (b *Broadcast) Release(key string, number uint64) { b.holdings.drop(key, number) }

// Assert says again what instance holds; fn gets the claims that another one
// is known to hold by now.
func (b *Broadcast) Assert(instance string, claims []Claim, fn func(lost []Claim, err error)) {
	lost := b.holdings.assert(instance, claims)
	b.spread()
	fn(lost, nil)
}

// Holder asks all nodes who holds key. The answer takes half a second, and is
// nobody when the one that holds it cannot be reached.
func (b *Broadcast) Holder(key string, fn func(Holder, error)) {
	token := rand.Text()
	b.mu.Lock()
	full := len(b.asked) >= maxQuestions
	if !full {
		b.asked[token] = &question{fn: fn}
	}
	b.mu.Unlock()
	if full {
		fn(Holder{}, ErrOverloaded)
		return
	}
	err := b.announcer.Announce(subject, message{kind: kindWho, token: token, text: key}.encode())
	if err != nil {
		b.answer(token, fmt.Errorf("%w: %w", ErrAway, err))
		return
	}
	time.AfterFunc(b.patience, func() { b.answer(token, nil) })
}

// answer ends a question.
func (b *Broadcast) answer(token string, err error) {
	b.mu.Lock()
	q := b.asked[token]
	delete(b.asked, token)
	b.mu.Unlock()
	if q != nil {
		q.fn(q.found, err)
	}
}

// Hear takes note of a number that another claim has.
func (b *Broadcast) Hear(number uint64) { b.clock.Hear(number) }

// note keeps a claim that was made elsewhere, as this node is going to be
// asked for it.
func (b *Broadcast) note(key, instance string, number uint64) {
	b.clock.Hear(number)
	b.holdings.put(key, instance, number)
	b.spread()
}

// hear handles what a node said.
func (b *Broadcast) hear(data []byte) {
	m, err := decode(data)
	if err != nil {
		b.log.Warn("word of claims not understood", slog.Any("error", err))
		return
	}
	b.clock.Hear(m.number)
	switch m.kind {
	case kindHello:
		b.spread()
	case kindClock:
	case kindWho:
		if h := b.holdings.get(m.text); h.Instance != "" {
			b.announce(message{kind: kindHolds, token: m.token, number: h.Number, text: h.Instance})
		}
	case kindHolds:
		b.mu.Lock()
		if q := b.asked[m.token]; q != nil {
			q.found = q.found.later(Holder{Instance: m.text, Number: m.number})
		}
		b.mu.Unlock()
	}
}

// spread announces how far the clock is, soon.
func (b *Broadcast) spread() {
	b.mu.Lock()
	armed := b.armed
	b.armed = true
	wait := gossip - time.Since(b.gossiped)
	b.mu.Unlock()
	if !armed {
		time.AfterFunc(max(wait, 0), b.spreadNow)
	}
}

func (b *Broadcast) spreadNow() {
	b.mu.Lock()
	b.armed, b.gossiped = false, time.Now()
	b.mu.Unlock()
	b.announce(message{kind: kindClock, number: b.clock.last.Load()})
}

// announce says something whose loss costs little.
func (b *Broadcast) announce(m message) {
	if err := b.announcer.Announce(subject, m.encode()); err != nil {
		b.log.Debug("word of claims not announced", slog.Any("error", err))
	}
}
