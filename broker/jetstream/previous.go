package jetstream

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// previousTurn is the age of one generation: what a session may have missed
	// for longer it has found in the log by then.
	previousTurn = time.Minute
	// previousTopics is the size of one, some 20 MB.
	previousTopics = 512 << 10
)

// previous remembers the last message of each topic that entered at this node:
// one to two generations of them. Topics are told by a hash: where two share
// one, a session that waits for the other's message looks into the log once.
type previous struct {
	seed maphash.Seed

	mu         sync.Mutex // guards the fields below
	young, old map[uint64]uint64
	turned     time.Time
}

func newPrevious(now time.Time) *previous {
	return &previous{seed: maphash.MakeSeed(), young: make(map[uint64]uint64), turned: now}
}

// swap notes the topic's newest message and returns the one before it, 0 if
// there is none. After a message that the log had already, that is not known:
// it may have come by another node, to receivers that miss one of here.
func (p *previous) swap(topic string, seq uint64, again bool, now time.Time) uint64 {
	hash := maphash.String(p.seed, topic)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.young) >= previousTopics || now.Sub(p.turned) >= previousTurn {
		p.young, p.old, p.turned = make(map[uint64]uint64), p.young, now
	}
	last, ok := p.young[hash]
	if !ok {
		last = p.old[hash]
	}
	if p.young[hash] = seq; again {
		p.young[hash] = broker.UnknownPrevious
	}
	return last
}
