package jetstream

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"
)

// talker says to the consumers of share groups what event loops have to say:
// those only note it, as a connection can keep a caller waiting.
type talker struct {
	conn *nats.Conn
	bell bell

	mu    sync.Mutex // guards the fields below; nothing is called under it
	words []word     // no more than there are loans, but for signs of life
	wants []*share   // want something else than they have asked for
	spare []word
}

// word is one thing for a consumer: something to publish, or that a share has
// ended, in its order with what goes back to others.
type word struct {
	subject, reply string
	data           []byte
	end            *share
}

func newTalker(conn *nats.Conn) *talker {
	return &talker{conn: conn, bell: bell{rung: make(chan struct{}, 1)}}
}

func (t *talker) say(w word) {
	t.mu.Lock()
	t.words = append(t.words, w)
	t.mu.Unlock()
	t.bell.ring()
}

func (t *talker) want(g *share) {
	t.mu.Lock()
	t.wants = append(t.wants, g)
	t.mu.Unlock()
	t.bell.ring()
}

// run says what there is to say until ctx ends, and then what is left.
func (t *talker) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-t.bell.rung:
			t.bell.heard()
		case <-ctx.Done():
		}
		t.talk()
	}
}

// talk says everything. What does not arrive is made up for: a message goes to
// another node or comes again, and look asks again for what was not asked.
func (t *talker) talk() {
	t.mu.Lock()
	words, wants := t.words, t.wants
	t.words, t.wants = t.spare[:0], nil
	t.spare = nil
	t.mu.Unlock()
	for _, w := range words {
		switch {
		case w.end != nil:
			w.end.hangUp()
		case w.reply == "":
			_ = t.conn.Publish(w.subject, w.data)
		default:
			_ = t.conn.PublishRequest(w.subject, w.reply, w.data)
		}
	}
	for _, g := range wants {
		for _, w := range g.requests() {
			_ = t.conn.PublishRequest(w.subject, w.reply, w.data)
		}
	}
	clear(words)
	if cap(words) <= keepWords {
		t.mu.Lock()
		t.spare = words[:0]
		t.mu.Unlock()
	}
}

// keepWords bounds the memory that is kept from the busiest moment.
const keepWords = 4096
