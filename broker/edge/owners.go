package edge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker/ownership"
)

// tables is how many tables the session keys are spread over, so that their
// locks are rarely waited for.
const tables = 16

// owners decides, together with the other nodes, which connection holds a
// session. The newest wins. [MQTT-3.1.4-2] [MQTT-3.1.4-3].
type owners struct {
	edge *Edge
	era  atomic.Pointer[era]
	// put is rung when some table has nothing left to put away.
	put chan struct{}
}

// era is the time in which this node is one instance. Its tables live until
// their last session is put away.
type era struct {
	instance string
	tables   [tables]*table
}

// table is an ownership.Table with what it needs to run.
type table struct {
	edge     *Edge
	instance string

	mu      sync.Mutex // guards the fields below; nothing is called under it
	owners  *ownership.Table
	timer   *time.Timer
	wake    time.Time // what timer is set to; zero: nothing
	tickets uint64
	asking  map[uint64]func([]byte) // answers that are owed to other instances
}

// begin makes this node instance from now on.
func (o *owners) begin(instance string) {
	born := &era{instance: instance}
	for i := range born.tables {
		t := &table{edge: o.edge, instance: instance}
		t.owners = ownership.New(ownership.Config{
			Instance: instance, Alone: o.edge.deps.Bus.Alone(),
			Seed: ownership.Hash(instance) + uint64(i),
		})
		t.timer = time.AfterFunc(time.Hour, t.tick)
		t.timer.Stop()
		born.tables[i] = t
	}
	o.era.Store(born)
}

// table is where a session key belongs.
func (e *era) table(hash uint64) *table { return e.tables[hash%tables] }

// do lets f work on the table and carries out what came of it.
func (t *table) do(f func(o *ownership.Table, now time.Time)) {
	t.mu.Lock()
	f(t.owners, time.Now())
	effects := t.owners.Effects()
	if at := t.owners.Deadline(); !at.Equal(t.wake) {
		t.wake = at
		t.timer.Stop()
		if !at.IsZero() {
			t.timer.Reset(time.Until(at))
		}
	}
	idle := t.owners.Len() == 0 && t.owners.Unsaved() == 0
	t.mu.Unlock()
	for i := range effects {
		t.carryOut(&effects[i])
	}
	if idle {
		select {
		case t.edge.owners.put <- struct{}{}:
		default:
		}
	}
}

func (t *table) tick() {
	t.do(func(o *ownership.Table, now time.Time) {
		t.wake = time.Time{}
		o.Tick(now)
	})
}

// busy is how many sessions of this time are held, wanted or not put away.
func (e *era) busy() int {
	n := 0
	for _, t := range e.tables {
		t.mu.Lock()
		n += t.owners.Len() + t.owners.Unsaved()
		t.mu.Unlock()
	}
	return n
}

// flush waits until everything that connections have left is put away.
func (o *owners) flush(ctx context.Context) {
	for era := o.era.Load(); era.busy() > 0; {
		select {
		case <-o.put:
		case <-ctx.Done():
			return
		}
	}
}

// carryOut does what the table asks for.
func (t *table) carryOut(ef *ownership.Effect) {
	switch ef.Kind {
	case ownership.Enter:
		seatOf(ef.Seat).entered(ef)
	case ownership.Refuse:
		seatOf(ef.Seat).turnedAway(ef.Err)
	case ownership.Persisted:
		seatOf(ef.Seat).persisted(ef.Token, ef.Err)
	case ownership.Evict:
		seatOf(ef.Seat).takeover()
	case ownership.Load, ownership.Save, ownership.Erase:
		t.keepRecord(ef)
	case ownership.PutWill, ownership.DropWill, ownership.RouseWill, ownership.KeepWill:
		t.keepWill(ef)
	default:
		t.tell(ef)
	}
}
