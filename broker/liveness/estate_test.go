package liveness_test

import (
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
)

// desk is an estate whose effects a test answers by hand.
type desk struct {
	*testing.T
	*liveness.Estate
	now time.Time
}

func newDesk(t *testing.T, leases ...broker.Lease) *desk {
	t.Parallel()
	d := &desk{t, liveness.NewEstate(liveness.Config{Instance: "me", Linger: 30 * time.Second}), time.Unix(1_700_000_000, 0)}
	d.Observe(append(leases, broker.Lease{Instance: "me", State: broker.LeaseAlive}), d.now)
	return d
}

func gone(state broker.LeaseState) broker.Lease {
	return broker.Lease{Instance: "gone", Node: "n", State: state, Since: time.Unix(1_700_000_000, 0), Revision: 7}
}

// next lets time pass until there are effects, and returns them; want are their
// kinds.
func (d *desk) next(want string) []liveness.Effect {
	d.Helper()
	effects := d.Effects()
	for len(effects) == 0 && !d.Estate.Deadline().IsZero() {
		if at := d.Estate.Deadline(); at.After(d.now) {
			d.now = at
		}
		d.Tick(d.now)
		effects = d.Effects()
	}
	var kinds []string
	for _, e := range effects {
		kinds = append(kinds, e.Kind.String())
	}
	if got := strings.Join(kinds, " "); got != want {
		d.Fatalf("effects are %q, want %q", got, want)
	}
	return effects
}

func (d *desk) one(want string) liveness.Effect {
	d.Helper()
	return d.next(want)[0]
}

func (d *desk) empty() {
	d.Helper()
	d.Orphaned(d.one("list-orphans").Op, nil, nil, d.now)
	d.Listed(d.one("list-wills").Op, nil, nil, d.now)
}

func TestWhatTheDeadWroteLast(t *testing.T) {
	d := newDesk(t, gone(broker.LeaseDead))
	start := d.now
	d.empty()
	d.empty() // once more, as something may have come late
	if d.now.Before(start.Add(30 * time.Second)) {
		t.Errorf("it was looked for %v", d.now.Sub(start))
	}
	if e := d.one("bury"); e.Lease.Revision != 7 {
		t.Errorf("buried is %v", e.Lease)
	}
}

func TestWhoLeftIsBuriedAtOnce(t *testing.T) {
	d := newDesk(t, gone(broker.LeaseLeft))
	start := d.now
	d.empty()
	e := d.one("bury")
	d.Done(e.Op, broker.ErrUnavailable, d.now)
	d.Listed(d.one("list-wills").Op, nil, nil, d.now) // nothing else can come
	d.Done(d.one("bury").Op, nil, d.now)
	if d.next(""); d.now.After(start.Add(10 * time.Second)) {
		t.Errorf("it took %v", d.now.Sub(start))
	}
}

func TestOrphanThatIsTakenUp(t *testing.T) {
	d := newDesk(t, gone(broker.LeaseDead))
	d.Orphaned(d.one("list-orphans").Op, []string{"a", "b"}, nil, d.now)
	effects := d.next("list-wills load load")
	d.Listed(effects[0].Op, nil, nil, d.now)
	// a is another's already.
	d.Loaded(effects[1].Op, broker.Stored{Record: &broker.Record{Owner: "me", Expiry: time.Hour}, Revision: 1}, nil, d.now)
	// b is taken while its record is written.
	d.Loaded(effects[2].Op, broker.Stored{Record: &broker.Record{Owner: "gone", Expiry: time.Hour}, Revision: 2}, nil, d.now)
	save := d.one("save")
	if save.Key != "b" || save.Revision != 2 || !save.Record.Expires.Equal(gone(0).Since.Add(time.Hour)) {
		t.Errorf("saved is %+v with %+v", save, save.Record)
	}
	d.Done(save.Op, broker.ErrConflict, d.now)
	d.Loaded(d.one("load").Op, broker.Stored{Record: &broker.Record{Owner: "me", Expiry: time.Hour}, Revision: 3}, nil, d.now)
	d.one("list-orphans") // nobody was told to be disconnected
}

// What stays as it is, because it lives for ever or cannot be read, is listed
// each time: it must not be gone through without end.
func TestOrphansThatStay(t *testing.T) {
	d := newDesk(t, gone(broker.LeaseLeft))
	keys := []string{"for ever", "newer"}
	d.Orphaned(d.one("list-orphans").Op, keys, nil, d.now)
	effects := d.next("list-wills load load")
	d.Listed(effects[0].Op, nil, nil, d.now)
	d.Loaded(effects[1].Op, broker.Stored{Record: &broker.Record{Owner: "gone"}, Revision: 1}, nil, d.now)
	d.Loaded(effects[2].Op, broker.Stored{Revision: 2}, broker.ErrRecord, d.now)
	d.Orphaned(d.one("list-orphans").Op, keys, nil, d.now)
	d.Listed(d.one("list-wills").Op, nil, nil, d.now)
	d.one("bury")
}

func TestForgottenWill(t *testing.T) {
	d := newDesk(t)
	w := &broker.Will{Instance: "me", Key: "k", Durable: true, Due: d.now.Add(time.Minute), Message: &broker.Message{ID: ulid.Make(), QoS: 1}}
	d.Keep(w, "kept", d.now)
	if d.Kept() != 1 || !d.Estate.Deadline().Equal(w.Due) {
		t.Errorf("%d are kept until %v", d.Kept(), d.Estate.Deadline())
	}
	d.Forget("k", d.now)
	if e := d.one("finished"); e.Ref != "kept" || d.Kept() != 0 || !d.Estate.Deadline().IsZero() {
		t.Errorf("%v, %d kept", e, d.Kept())
	}
	// One that is due already is not forgotten any more.
	w.Due = d.now
	d.Keep(w, nil, d.now)
	d.Forget("k", d.now)
	d.Done(d.one("publish").Op, nil, d.now)
	if d.next(""); d.Kept() != 0 {
		t.Errorf("%d are kept", d.Kept())
	}
}

// The message of a will that waits for long is not held in memory: it is read
// again when it is due, if it is still that connection's.
func TestWillThatWaitsForLong(t *testing.T) {
	d := newDesk(t)
	message := &broker.Message{ID: ulid.Make(), QoS: 1}
	w := broker.Will{Instance: "me", Key: "k", Durable: true, Delay: time.Hour, Due: d.now.Add(time.Hour), Message: message, Revision: 5}
	for _, stored := range []uint64{5, 6, 0} {
		kept, earlier, there := w, w, w
		earlier.Revision, there.Revision = 4, stored
		kept.Due = d.now.Add(time.Hour)
		d.Keep(&kept, nil, d.now)
		d.Loaded(d.one("load").Op, broker.Stored{}, nil, d.now)
		if d.now.Before(kept.Due) {
			t.Fatal("it is not due")
		}
		d.Listed(d.one("fetch").Op, []*broker.Will{&earlier}, nil, d.now) // of a replica that is behind
		fetch := d.one("fetch")
		if fetch.Instance != "me" || fetch.Key != "k" {
			t.Errorf("fetched is %+v", fetch)
		}
		if stored != 5 {
			d.Listed(fetch.Op, map[uint64][]*broker.Will{6: {&there}}[stored], nil, d.now)
			if d.next(""); d.Kept() != 0 {
				t.Errorf("%d are kept", d.Kept())
			}
			continue
		}
		d.Listed(fetch.Op, []*broker.Will{&there}, nil, d.now)
		publish := d.one("publish")
		if publish.Message.ID != message.ID {
			t.Errorf("published is %+v", publish.Message)
		}
		d.Done(publish.Op, nil, d.now)
		d.Done(d.one("take").Op, nil, d.now)
		d.next("")
	}
}

// However many wills there are, only so many are under way.
func TestManyWills(t *testing.T) {
	d := newDesk(t, gone(broker.LeaseLeft))
	d.Orphaned(d.one("list-orphans").Op, nil, nil, d.now)
	var wills []*broker.Will
	for i := range 100_000 {
		wills = append(wills, &broker.Will{Instance: "gone", Key: "k", Due: d.now, Message: &broker.Message{QoS: 1}, Revision: uint64(i + 1)})
	}
	d.Listed(d.one("list-wills").Op, wills, nil, d.now)
	published := 0
	for {
		effects := d.Effects()
		if len(effects) == 0 {
			break
		}
		if len(effects) > 256 {
			t.Fatalf("%d at once", len(effects))
		}
		for _, e := range effects {
			if e.Kind == liveness.Publish {
				published++
			}
			d.Done(e.Op, nil, d.now)
		}
	}
	if published != len(wills) {
		t.Errorf("%d of %d are published", published, len(wills))
	}
}

// A node that was held up may have been declared dead: its client may be back
// elsewhere, and its will published. (DESIGN §7 rule 11.)
func TestWillOfWhoMayBeDead(t *testing.T) {
	d := newDesk(t)
	w := &broker.Will{
		Instance: "me", Key: "o/a/u/back", Epoch: 5, Durable: true, Revision: 3, Due: d.now,
		Message: &broker.Message{ID: ulid.Make(), Topic: "o/t"},
	}
	d.Doubt(true)
	d.Keep(w, "kept", d.now)
	d.Loaded(d.one("load").Op, broker.Stored{Record: &broker.Record{Epoch: 6}, Revision: 9}, nil, d.now)
	d.Done(d.one("take").Op, broker.ErrConflict, d.now)
	if e := d.one("finished"); e.Ref != "kept" {
		t.Errorf("finished is %v", e.Ref)
	}

	gone := *w
	gone.Key = "o/a/u/gone"
	d.Keep(&gone, nil, d.now)
	d.Loaded(d.one("load").Op, broker.Stored{Record: &broker.Record{Epoch: 5}, Revision: 9}, nil, d.now)
	d.Done(d.one("take").Op, nil, d.now) // QoS 0: first
	if e := d.one("publish"); e.Message.Topic != "o/t" {
		t.Errorf("published is %v", e.Message.Topic)
	}

	d.Doubt(false)
	d.Keep(&gone, nil, d.now)
	d.one("take")
}
