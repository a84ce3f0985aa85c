package jetstream

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// keepLanes is how many retained messages a node writes at once.
const keepLanes = 16

// keeper writes retained messages between the log's acknowledgement and the
// publisher's. A topic belongs to one lane, which works in order; what follows
// on a topic with a write under way waits behind it, so that its order holds.
// Messages of other topics pass by.
type keeper struct {
	lanes   [keepLanes]keepLane
	seed    maphash.Seed
	bound   int64
	waiting atomic.Int64 // in all lanes
	write   func(context.Context, *broker.Message) error
	hold    func(*broker.Message)
	finish  func(job, error)
}

// keepLane is one queue.
type keepLane struct {
	bell    bell
	waiting atomic.Int64

	mu     sync.Mutex // guards the fields below
	queue  []job
	topics map[string]int // those that wait or are under way
	closed bool
}

// job is a message that waits for the retained write of its topic.
type job struct {
	m   *broker.Message
	ack broker.Acknowledger
	tag uint64
}

func newKeeper(bound int) *keeper {
	k := &keeper{seed: maphash.MakeSeed(), bound: int64(bound)}
	for i := range k.lanes {
		k.lanes[i].bell.rung = make(chan struct{}, 1)
		k.lanes[i].topics = make(map[string]int)
	}
	return k
}

func (k *keeper) lane(name string) *keepLane {
	return &k.lanes[maphash.String(k.seed, name)%keepLanes]
}

// full says that no more should be published that must be kept.
func (k *keeper) full() bool { return k.waiting.Load() >= k.bound }

// busy says that a topic's turn is not over.
func (k *keeper) busy(name string) bool {
	l := k.lane(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.topics[name] > 0
}

// put takes a message that is to be retained, or whose topic's turn is not
// over; it reports false for any other.
func (k *keeper) put(j job) bool {
	l := k.lane(j.m.Topic)
	if !j.m.Retain && l.waiting.Load() == 0 {
		return false
	}
	l.mu.Lock()
	if !j.m.Retain && l.topics[j.m.Topic] == 0 {
		l.mu.Unlock()
		return false
	}
	if l.closed {
		l.mu.Unlock()
		k.finish(j, errClosed)
		return true
	}
	k.hold(j.m)
	l.topics[j.m.Topic]++
	l.queue = append(l.queue, j)
	l.waiting.Add(1)
	k.waiting.Add(1)
	l.mu.Unlock()
	l.bell.ring()
	return true
}

// run works off one lane until ctx ends, and then turns away what is left.
func (k *keeper) run(ctx context.Context, l *keepLane) {
	for {
		l.mu.Lock()
		jobs := l.queue
		l.queue = nil
		l.closed = len(jobs) == 0 && ctx.Err() != nil
		closed := l.closed
		l.mu.Unlock()
		switch {
		case closed:
			return
		case len(jobs) > 0:
			for _, j := range jobs {
				k.do(ctx, l, j)
			}
			continue
		}
		select {
		case <-l.bell.rung:
			l.bell.heard()
		case <-ctx.Done():
		}
	}
}

func (k *keeper) do(ctx context.Context, l *keepLane, j job) {
	var err error
	if j.m.Retain {
		ctx, cancel := context.WithTimeout(ctx, giveUp)
		err = k.write(ctx, j.m)
		cancel()
	}
	k.finish(j, err)
	k.waiting.Add(-1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting.Add(-1)
	if l.topics[j.m.Topic]--; l.topics[j.m.Topic] == 0 {
		delete(l.topics, j.m.Topic)
	}
}

// drain waits a while until nothing waits.
func (k *keeper) drain(ctx context.Context) {
	for k.waiting.Load() > 0 && wait(ctx, time.Millisecond) {
		continue
	}
}
