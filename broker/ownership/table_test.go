package ownership_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
)

const key = "acme/chat/ana/phone"

// bench is a table whose driver is the test.
type bench struct {
	t     *testing.T
	table *ownership.Table
	now   time.Time
	queue []ownership.Effect
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{t: t, table: ownership.New(ownership.Config{Instance: "us", AssertEvery: time.Hour}), now: time.Unix(1_700_000_000, 0)}
}

// next is the next effect, which must be of a kind.
func (b *bench) next(want ownership.Kind) ownership.Effect {
	b.t.Helper()
	b.queue = append(b.queue, b.table.Effects()...)
	if len(b.queue) == 0 {
		b.t.Fatalf("no effect, want %s", want)
	}
	e := b.queue[0]
	if b.queue = b.queue[1:]; e.Kind != want {
		b.t.Fatalf("got %s, want %s", e.Kind, want)
	}
	return e
}

func (b *bench) nothing() {
	b.t.Helper()
	if b.queue = append(b.queue, b.table.Effects()...); len(b.queue) > 0 {
		b.t.Fatalf("got %s", b.queue[0].Kind)
	}
}

// connect begins a connection, as far as its Load.
func (b *bench) connect(r ownership.Request, number uint64) (*ownership.Seat, ownership.Effect) {
	b.t.Helper()
	s := b.table.Connect(key, r, nil, b.now)
	b.next(ownership.Claim)
	b.table.Claimed(s, number, "", nil, b.now)
	return s, b.next(ownership.Load)
}

// hold has a durable connection in, with the claim 50 and without a will.
func (b *bench) hold() *ownership.Seat {
	b.t.Helper()
	s, load := b.connect(ownership.Request{Durable: true, Expiry: time.Hour}, 50)
	b.table.Loaded(load.Op, broker.Stored{}, nil, b.now)
	b.table.Saved(b.next(ownership.Save).Op, 1, nil, b.now)
	b.next(ownership.Announce)
	b.next(ownership.Enter)
	return s
}

func (b *bench) pass(d time.Duration) {
	b.now = b.now.Add(d)
	b.table.Tick(b.now)
}

// absent is the record of a client that is away, with a will that waits.
func absent(b *bench) *broker.Record {
	return &broker.Record{Owner: "them", Epoch: 40, Floor: 7, Expiry: time.Hour, Expires: b.now.Add(time.Hour), Willed: true}
}

func TestResume(t *testing.T) {
	b := newBench(t)
	will := &broker.Will{Message: &broker.Message{}}
	_, load := b.connect(ownership.Request{Durable: true, Expiry: time.Minute, Will: will}, 30)
	b.table.Loaded(load.Op, broker.Stored{Record: absent(b), Revision: 5}, nil, b.now)
	save := b.next(ownership.Save)
	r := save.Record
	if save.Revision != 5 || r.Owner != "us" || r.Epoch != 41 || r.Floor != 7 || r.Expiry != time.Minute || !r.Expires.IsZero() || !r.Willed {
		t.Errorf("saves %+v at %d", r, save.Revision)
	}
	b.table.Saved(save.Op, 6, nil, b.now)
	drop := b.next(ownership.DropWill)
	if drop.Instance != "them" || drop.Key != key {
		t.Errorf("drops the will of %s %s", drop.Instance, drop.Key)
	}
	b.table.Done(drop.Op, nil, b.now)
	put := b.next(ownership.PutWill)
	if w := put.Will; w.Message != will.Message || w.Instance != "us" || w.Key != key || w.Epoch != 41 {
		t.Errorf("puts %+v", w)
	}
	b.table.Saved(put.Op, 7, nil, b.now)
	if e := b.next(ownership.Announce); e.Epoch != 41 {
		t.Errorf("announces %d", e.Epoch)
	}
	if e := b.next(ownership.Enter); e.Record == nil || e.Record.Floor != 7 || e.Epoch != 41 || will.Revision != 7 {
		t.Errorf("enters with %+v", e)
	}
	b.nothing()
}

// A session that has expired, or is ended by a clean start, leaves nothing but
// its will, which is due.
func TestSessionIsOver(t *testing.T) {
	for _, clean := range []bool{true, false} {
		b := newBench(t)
		_, load := b.connect(ownership.Request{Durable: true, Clean: clean}, 50)
		old := absent(b)
		if !clean {
			old.Expires = b.now
		}
		b.table.Loaded(load.Op, broker.Stored{Record: old, Revision: 5}, nil, b.now)
		save := b.next(ownership.Save)
		if r := save.Record; r.Floor != 0 || r.Epoch != 50 || r.Willed {
			t.Errorf("saves %+v", r)
		}
		b.table.Saved(save.Op, 6, nil, b.now)
		rouse := b.next(ownership.RouseWill)
		if rouse.Instance != "them" {
			t.Errorf("rouses %s", rouse.Instance)
		}
		b.table.Done(rouse.Op, nil, b.now)
		b.next(ownership.Announce)
		if e := b.next(ownership.Enter); e.Record != nil {
			t.Errorf("enters with %+v", e.Record)
		}
	}
}

// A session that ends with its connection has no record.
func TestErasesForASessionWithoutRecord(t *testing.T) {
	b := newBench(t)
	s, load := b.connect(ownership.Request{}, 50)
	old := absent(b)
	old.Willed = false
	b.table.Loaded(load.Op, broker.Stored{Record: old, Revision: 5}, nil, b.now)
	erase := b.next(ownership.Erase)
	b.table.Done(erase.Op, nil, b.now)
	b.next(ownership.Announce)
	if e := b.next(ownership.Enter); e.Record != old || erase.Revision != 5 { // it goes on until the connection ends
		t.Errorf("enters with %+v", e.Record)
	}
	b.table.Close(s, ownership.End{Settled: true}, b.now)
	b.next(ownership.Unclaim)
	b.nothing()
	if b.table.Len() != 0 || b.table.Unsaved() != 0 {
		t.Errorf("%d seats, %d unsaved", b.table.Len(), b.table.Unsaved())
	}
}

// Whoever had the claim last is asked when there is no record, unless that is
// this node.
func TestAsksTheFormerClaimant(t *testing.T) {
	for _, former := range []string{"us", "them"} {
		b := newBench(t)
		s := b.table.Connect(key, ownership.Request{}, nil, b.now)
		b.next(ownership.Claim)
		b.table.Claimed(s, 50, former, nil, b.now)
		b.table.Loaded(b.next(ownership.Load).Op, broker.Stored{}, nil, b.now)
		if former == "them" {
			ask := b.next(ownership.Ask)
			b.table.Done(ask.Op, nil, b.now)
			b.table.Loaded(b.next(ownership.Load).Op, broker.Stored{}, nil, b.now)
		}
		b.next(ownership.Announce)
		b.next(ownership.Enter)
	}
}

// The owner is asked first, and has two seconds.
func TestAsksTheOwner(t *testing.T) {
	b := newBench(t)
	held := &broker.Record{Owner: "them", Epoch: 40}
	_, load := b.connect(ownership.Request{Durable: true}, 50)
	b.table.Loaded(load.Op, broker.Stored{Record: held, Revision: 5}, nil, b.now)
	ask := b.next(ownership.Ask)
	b.pass(2*time.Second - 1)
	b.nothing()
	b.pass(1)
	load = b.next(ownership.Load)
	b.table.Done(ask.Op, nil, b.now) // too late
	b.nothing()
	b.table.Loaded(load.Op, broker.Stored{Record: held, Revision: 5}, nil, b.now)
	if save := b.next(ownership.Save); ask.Instance != "them" || ask.Number != 50 || save.Revision != 5 {
		t.Errorf("asked %s, saves at %d", ask.Instance, save.Revision)
	}
}

// Whoever asks is told when the record is written and the last publishes have
// their answers, not before.
func TestIsAsked(t *testing.T) {
	b := newBench(t)
	s := b.hold()
	b.table.Asked(key, 9, b.now)
	b.next(ownership.Evict)
	b.table.Close(s, ownership.End{Record: &broker.Record{Floor: 8, Expires: b.now.Add(time.Hour)}}, b.now)
	b.next(ownership.Unclaim)
	save := b.next(ownership.Save)
	if r := save.Record; r.Owner != "us" || r.Epoch != 50 || r.Floor != 8 || save.Revision != 1 {
		t.Errorf("saves %+v at %d", r, save.Revision)
	}
	b.nothing()
	b.table.Saved(save.Op, 2, nil, b.now)
	b.nothing()
	b.table.Settled(s, b.now)
	if e := b.next(ownership.Answer); e.Ticket != 9 {
		t.Errorf("answers %d", e.Ticket)
	}
	b.table.Asked(key, 10, b.now)
	b.next(ownership.Answer)
	b.nothing()
}

func TestPublishesAreNotWaitedForForEver(t *testing.T) {
	b := newBench(t)
	s := b.hold()
	b.table.Asked(key, 9, b.now)
	b.next(ownership.Evict)
	b.table.Close(s, ownership.End{}, b.now)
	b.next(ownership.Unclaim)
	b.table.Done(b.next(ownership.Erase).Op, nil, b.now)
	b.nothing()
	b.pass(2 * time.Second)
	b.next(ownership.Answer)
}

// An answer that was lost makes the next write conflict with the last one. That
// does not fence an owner.
func TestLostAnswerDoesNotFence(t *testing.T) {
	b := newBench(t)
	s := b.hold()
	b.table.Persist(s, &broker.Record{Floor: 1}, 1, b.now)
	b.table.Saved(b.next(ownership.Save).Op, 0, broker.ErrUnavailable, b.now)
	if e := b.next(ownership.Persisted); e.Token != 1 || !errors.Is(e.Err, broker.ErrUnavailable) {
		t.Errorf("answers %d with %v", e.Token, e.Err)
	}
	b.table.Persist(s, &broker.Record{Floor: 2}, 2, b.now)
	b.table.Saved(b.next(ownership.Save).Op, 0, broker.ErrConflict, b.now)
	b.table.Loaded(b.next(ownership.Load).Op, broker.Stored{Record: &broker.Record{Owner: "us", Epoch: 50}, Revision: 4}, nil, b.now)
	save := b.next(ownership.Save)
	if save.Revision != 4 || save.Record.Floor != 2 {
		t.Errorf("saves %+v at %d", save.Record, save.Revision)
	}
	b.table.Saved(save.Op, 5, nil, b.now)
	if e := b.next(ownership.Persisted); e.Token != 2 || e.Err != nil {
		t.Errorf("answers %d with %v", e.Token, e.Err)
	}
}

// Another's record does, and then nothing is written any more.
func TestFenced(t *testing.T) {
	for _, stored := range []*broker.Record{nil, {Owner: "them", Epoch: 51}, {Owner: "us", Epoch: 51}} {
		b := newBench(t)
		s := b.hold()
		b.table.Persist(s, &broker.Record{}, 1, b.now)
		b.table.Saved(b.next(ownership.Save).Op, 0, broker.ErrConflict, b.now)
		b.table.Loaded(b.next(ownership.Load).Op, broker.Stored{Record: stored, Revision: 4}, nil, b.now)
		if e := b.next(ownership.Persisted); !errors.Is(e.Err, broker.ErrConflict) {
			t.Errorf("answers with %v", e.Err)
		}
		b.table.Close(s, ownership.End{Settled: true}, b.now)
		b.next(ownership.Unclaim)
		b.nothing()
	}
}

func TestHeard(t *testing.T) {
	b := newBench(t)
	b.hold()
	b.table.Heard("them", key, 49, b.now)
	if e := b.next(ownership.Announce); e.Key != key || e.Epoch != 50 {
		t.Errorf("announces %s %d", e.Key, e.Epoch)
	}
	b.table.Heard("them", key, 50, b.now) // the lower name
	b.next(ownership.Announce)
	b.table.Heard("us", key, 60, b.now)
	b.table.Heard("them", "acme/chat/ana/tablet", 60, b.now)
	b.table.HeardAll("us", []ownership.Assertion{{Hash: ownership.Hash(key), Epoch: 60}}, b.now)
	b.nothing()
	b.table.HeardAll("them", []ownership.Assertion{{Hash: 1, Epoch: 60}, {Hash: ownership.Hash(key), Epoch: 60}}, b.now)
	b.next(ownership.Announce) // a hash alone evicts nobody
	b.nothing()
	b.table.Heard("zoe", key, 50, b.now)
	b.next(ownership.Evict)
	b.table.Heard("them", key, 51, b.now)
	b.nothing() // once is enough
}

func TestAsserts(t *testing.T) {
	b := newBench(t)
	b.hold()
	b.pass(time.Hour)
	want := []ownership.Assertion{{Hash: ownership.Hash(key), Epoch: 50, Key: key}}
	if e := b.next(ownership.Assert); !slices.Equal(e.Claims, want) {
		t.Errorf("asserts %+v", e.Claims)
	}
	if d := b.table.Deadline().Sub(b.now); d < 45*time.Minute || d > 75*time.Minute {
		t.Errorf("asserts again in %v", d)
	}
}

// A record that nobody can read is left as it is.
func TestUnreadableRecord(t *testing.T) {
	b := newBench(t)
	_, load := b.connect(ownership.Request{Durable: true, Clean: true}, 50)
	b.table.Loaded(load.Op, broker.Stored{}, broker.ErrRecord, b.now)
	if e := b.next(ownership.Refuse); !errors.Is(e.Err, broker.ErrRecord) {
		t.Errorf("refused with %v", e.Err)
	}
	b.next(ownership.Unclaim)
	b.nothing()
}

// A record that the store does not take is kept, tried again, and handed to the
// next connection.
func TestKeepsWhatIsNotSaved(t *testing.T) {
	b := newBench(t)
	first := b.hold()
	b.table.Close(first, ownership.End{Record: &broker.Record{Floor: 8, Expires: b.now.Add(time.Hour)}, Settled: true}, b.now)
	b.next(ownership.Unclaim)
	for range 20 {
		b.table.Saved(b.next(ownership.Save).Op, 0, broker.ErrUnavailable, b.now)
		if wait := b.table.Deadline().Sub(b.now); wait < 250*time.Millisecond || wait > 12*time.Second || b.table.Unsaved() != 1 {
			t.Fatalf("again in %v, %d unsaved", wait, b.table.Unsaved())
		}
		b.now = b.table.Deadline()
		b.table.Tick(b.now)
	}
	second := b.table.Connect(key, ownership.Request{Durable: true}, nil, b.now)
	op := b.next(ownership.Save).Op
	b.next(ownership.Claim)
	b.table.Claimed(second, 60, "", nil, b.now)
	b.table.Saved(op, 0, broker.ErrUnavailable, b.now)
	b.pass(375 * time.Millisecond) // as at the first time, for somebody waits
	save := b.next(ownership.Save)
	if r := save.Record; r.Epoch != 60 || r.Floor != 8 || !r.Expires.IsZero() || save.Revision != 1 {
		t.Errorf("saves %+v at %d", r, save.Revision)
	}
}

// A connection that goes away with its claim half done leaves the session as it
// was.
func TestAbandonPutsBack(t *testing.T) {
	b := newBench(t)
	s, load := b.connect(ownership.Request{Durable: true, Will: &broker.Will{}}, 50)
	old := absent(b)
	old.Willed = false
	b.table.Loaded(load.Op, broker.Stored{Record: old, Revision: 5}, nil, b.now)
	save := b.next(ownership.Save)
	b.table.Abandon(s, b.now)
	b.next(ownership.Unclaim)
	b.nothing()
	b.table.Saved(save.Op, 6, nil, b.now)
	again := b.next(ownership.Save)
	if r := again.Record; r.Epoch != 50 || r.Floor != 7 || !r.Expires.Equal(old.Expires) || r.Willed || again.Revision != 6 {
		t.Errorf("saves %+v at %d", r, again.Revision)
	}
	b.table.Saved(again.Op, 7, nil, b.now)
	b.nothing()
}

// Nobody waits for longer than a client does.
func TestPatience(t *testing.T) {
	b := newBench(t)
	_, load := b.connect(ownership.Request{Durable: true}, 50)
	b.pass(10 * time.Second)
	if e := b.next(ownership.Refuse); !errors.Is(e.Err, broker.ErrUnavailable) {
		t.Errorf("refused with %v", e.Err)
	}
	b.next(ownership.Unclaim)
	b.table.Loaded(load.Op, broker.Stored{}, nil, b.now)
	b.nothing()
}
