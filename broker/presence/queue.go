package presence

import "sync"

const (
	// maxQueued bounds the operations that wait for Redis: what a storm of
	// connects makes in the time that an answer may take.
	maxQueued = 1 << 17
	// maxBatch is how many go to Redis at once. Its script runs alone while it
	// does, for well below a millisecond.
	maxBatch = 256
	// workers is how many batches are under way.
	workers = 4
)

type opKind uint8

const (
	opClaim opKind = iota
	opRelease
	opHolder
	opAssert
)

// op is one operation that waits for Redis.
type op struct {
	kind     opKind
	key      string // in Redis
	instance string
	number   uint64
	done     func(Holder, error)
	claims   []Claim // opAssert
	lost     func(lost []Claim, err error)
}

func (o op) fail(err error) {
	if o.kind == opAssert {
		o.lost(nil, err)
		return
	}
	o.done(Holder{}, err)
}

// queue is what waits. While Redis answers one batch the next gathers, so that
// a storm of connects has few round trips and a single connect does not wait.
type queue struct {
	mu     sync.Mutex // guards the fields below
	ops    []op
	closed bool
	filled sync.Cond
}

func newQueue() *queue {
	q := &queue{}
	q.filled.L = &q.mu
	return q
}

// push appends o.
func (q *queue) push(o op) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrAway
	case len(q.ops) >= maxQueued:
		return ErrOverloaded
	}
	q.ops = append(q.ops, o)
	q.filled.Signal()
	return nil
}

// pop waits for operations of one kind and instance, in their order. None are
// left when it returns an empty batch: the queue is closed.
func (q *queue) pop() []op {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ops) == 0 && !q.closed {
		q.filled.Wait()
	}
	n := 0
	for n < len(q.ops) && n < maxBatch && q.ops[n].kind == q.ops[0].kind && q.ops[n].instance == q.ops[0].instance {
		n++
		if q.ops[0].kind == opAssert {
			break // a batch by itself
		}
	}
	batch := q.ops[:n:n]
	q.ops = q.ops[n:]
	if len(q.ops) == 0 {
		q.ops = nil // the batch is all that holds on to the array
	}
	return batch
}

// close lets pop end when nothing is left.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
}
