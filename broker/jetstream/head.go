package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/fault"
)

// head is what this node knows of the end of one shard.
type head struct {
	// settled is the last append that was completed here; everything up to it
	// was handed to the receiver, but for what is late.
	settled atomic.Uint64

	mu   sync.Mutex // guards the fields below
	late map[uint64]struct{}
	// asking says that a goroutine asks the leader, for those in waiting.
	asking  bool
	waiting []func(uint64, error)
}

// settle notes a completed append.
func (h *head) settle(seq uint64) {
	if seq > h.settled.Load() { // one goroutine at a time; a duplicate is lower
		h.settled.Store(seq)
	}
}

// hold says, before settle, that a message is handed over later.
func (h *head) hold(seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.late == nil {
		h.late = make(map[uint64]struct{})
	}
	h.late[seq] = struct{}{}
}

func (h *head) release(seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.late, seq)
}

// overtaken is the lowest sequence up to seq that is handed over later; 0: none.
func (h *head) overtaken(seq uint64) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	lowest := seq + 1
	for late := range h.late {
		lowest = min(lowest, late)
	}
	if lowest > seq {
		return 0
	}
	return lowest
}

// delivered is the sequence up to which everything was handed over.
func (h *head) delivered() uint64 {
	seq := h.settled.Load() // first: what is late by then was noted before
	h.mu.Lock()
	defer h.mu.Unlock()
	for late := range h.late {
		seq = min(seq, late-1)
	}
	return seq
}

// Head tells the end of a shard's log. fn is called once and must not block;
// it gets broker.ErrUnavailable when the log does not answer for a while.
//
// When Alone, fn is called before Head returns, and everything up to seq was
// handed to the Receiver. Otherwise seq is the head that the stream's leader
// told after Head was called; callers at the same time share a question.
func (b *Bus) Head(shard uint16, fn func(seq uint64, err error)) {
	switch {
	case int(shard) >= b.shards:
		fn(0, fault.Newf(fault.Internal, "shard %d of %d does not exist", shard, b.shards))
	case b.Alone():
		fn(b.heads[shard].delivered(), nil)
	default:
		b.askHead(&b.heads[shard], streamName(int(shard)), fn)
	}
}

// askHead has fn called with what the leader says from now on. A question that
// is under way may have been answered before, so that fn waits for the next.
func (b *Bus) askHead(h *head, stream string, fn func(uint64, error)) {
	h.mu.Lock()
	if b.closed.Load() {
		h.mu.Unlock()
		fn(0, errClosed)
		return
	}
	h.waiting = append(h.waiting, fn)
	if !h.asking {
		h.asking = true
		b.reading.Go(func() { b.answerHeads(h, stream) })
	}
	h.mu.Unlock()
}

// lastHeads returns when nobody can start to ask any more; the bus is closed.
func (b *Bus) lastHeads() {
	for i := range b.heads {
		b.heads[i].mu.Lock()
		b.heads[i].mu.Unlock() //nolint:staticcheck // whoever was inside is out
	}
}

// answerHeads asks until nobody waits.
func (b *Bus) answerHeads(h *head, stream string) {
	for {
		h.mu.Lock()
		waiting := h.waiting
		h.waiting = nil
		h.asking = len(waiting) > 0
		h.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		b.counters.heads.Add(1)
		state, err := b.leaderState(b.readCtx, stream)
		if err != nil {
			err = unavailable(err)
		}
		for _, fn := range waiting {
			fn(state.LastSeq, err)
		}
	}
}

// streamState is what a stream's leader tells of it.
type streamState struct {
	Messages uint64 `json:"messages"`
	LastSeq  uint64 `json:"last_seq"`
}

// leaderState asks the leader of a stream, again if there is none.
func (b *Bus) leaderState(ctx context.Context, stream string) (streamState, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for {
		state, err := askState(ctx, b.side, stream)
		if err == nil || !wait(ctx, askAgain) {
			return state, err
		}
	}
}

func askState(ctx context.Context, conn *nats.Conn, stream string) (streamState, error) {
	var info struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
		State streamState `json:"state"`
	}
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	m, err := conn.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+stream, nil)
	if err != nil {
		return info.State, fmt.Errorf("jetstream: head of %s: %w", stream, err)
	}
	if err := json.Unmarshal(m.Data, &info); err != nil {
		return info.State, fmt.Errorf("jetstream: head of %s: %w", stream, err)
	}
	if info.Error != nil {
		return info.State, fmt.Errorf("jetstream: head of %s: %w", stream, jetError(info.Error.Description))
	}
	return info.State, nil
}
