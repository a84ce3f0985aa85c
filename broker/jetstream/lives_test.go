package jetstream_test

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func will(instance, key string) *broker.Will {
	return &broker.Will{
		Instance: instance, Key: key, Epoch: 9, Delay: time.Minute, Durable: true, Lifetime: time.Hour,
		Due: time.UnixMilli(1_700_000_000_123),
		Message: &broker.Message{
			ID: ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Topic: "acme/chat/gone//$x", Payload: []byte("bye"), QoS: 2,
			Retain: true, UTF8: true, ContentType: "text/plain", Correlation: []byte{1}, Publisher: key, Node: "n", Undated: true,
		},
	}
}

func putWill(t testing.TB, b *jetstream.Bus, w *broker.Will) uint64 {
	t.Helper()
	revision, err := await(t, func(fn func(uint64, error)) { b.PutWill(w, fn) })
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func wills(t testing.TB, b *jetstream.Bus, instance string) []*broker.Will {
	t.Helper()
	all, err := await(t, func(fn func([]*broker.Will, error)) { b.Wills(instance, fn) })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func dropWill(t testing.TB, b *jetstream.Bus, instance, key string, revision uint64) error {
	t.Helper()
	return awaitErr(t, func(fn func(error)) { b.DropWill(instance, key, revision, fn) })
}

func TestWills(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	long := "acme/chat/ana/" + strings.Repeat("%", 3000)
	first := will("i1", "acme/chat/ana/phone")
	first.Revision = putWill(t, b, first)
	second := will("i1", long)
	second.Revision = putWill(t, b, second)
	putWill(t, b, will("i2", first.Key))
	putWill(t, b, will("i12", first.Key))
	if got := wills(t, b, "i1"); !reflect.DeepEqual(got, []*broker.Will{first, second}) {
		t.Errorf("got %+v and %+v", got[0], got[0].Message)
	}
	if err := dropWill(t, b, "i1", long, first.Revision); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("dropped what is newer: %v", err)
	}
	third := will("i1", first.Key)
	third.Epoch = 10
	third.Revision = putWill(t, b, third)
	if err := dropWill(t, b, "i1", first.Key, first.Revision); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("dropped what is newer: %v", err)
	}
	if err := errors.Join(dropWill(t, b, "i1", long, second.Revision), dropWill(t, b, "i1", long, second.Revision), dropWill(t, b, "i2", first.Key, 0)); err != nil {
		t.Error(err)
	}
	if got := wills(t, b, "i1"); !reflect.DeepEqual(got, []*broker.Will{third}) {
		t.Errorf("got %+v", got)
	}
	if n := len(wills(t, b, "i2")); n != 0 {
		t.Errorf("%d wills of i2", n)
	}
	putWill(t, b, will("i2", first.Key))
	if n := len(wills(t, b, "i2")); n != 1 {
		t.Errorf("%d wills of i2", n)
	}
}

func TestWillsThatCannotBeRead(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	putWill(t, b, will("i1", "acme/chat/ana/phone"))
	good := jetstream.AppendWill(nil, will("i1", "acme/chat/bob/x"))
	for i, data := range [][]byte{append([]byte{2}, good[1:]...), good[:20], {}} {
		if _, err := jetstream.JetStreamOf(b).Publish(t.Context(), fmt.Sprintf("$KV.WILLS.i1.acme.chat.bob.%d", i), data); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(wills(t, b, "i1")); n != 1 || b.Stats().Damaged != 3 {
		t.Errorf("%d wills, %d damaged", n, b.Stats().Damaged)
	}
	if n := streamNamed(t, b, "KV_WILLS").CachedInfo().State.Msgs; n != 4 {
		t.Errorf("%d entries left", n)
	}
}

// TestLostAnswerOfWill has the answers of wills lost.
func TestLostAnswerOfWill(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	jetstream.SetAnswerPatience(b, 100*time.Millisecond)
	stop := swallow(t, b, "WILLS")
	first := putWill(t, b, will("i1", "acme/chat/ana/phone"))
	second := putWill(t, b, will("i1", "acme/chat/ana/phone"))
	if first != 1 || second != 2 {
		t.Errorf("written at %d and %d", first, second)
	}
	if err := dropWill(t, b, "i1", "acme/chat/ana/phone", 0); err != nil || len(wills(t, b, "i1")) != 0 {
		t.Errorf("drop: %v", err)
	}
	stop()
}

func TestOrphans(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	var want []string
	const many = 1500 // several pages
	saved := make(chan error, many)
	for i := range many {
		key, r := fmt.Sprintf("acme/chat/ana/%d", i), &broker.Record{Owner: "i1"}
		switch i % 3 {
		case 0:
			r.Owner = "i2"
		case 1:
			r.Expires = time.Now().Add(time.Hour)
		default:
			if i%2 == 0 {
				key += strings.Repeat("/\n%", 2000)
			}
			want = append(want, key)
		}
		b.Save(key, r, 0, func(_ uint64, err error) { saved <- err })
	}
	for range many {
		if err := <-saved; err != nil {
			t.Fatal(err)
		}
	}
	if err := erase(t, b, want[0], load(t, b, want[0]).Revision); err != nil {
		t.Fatal(err)
	}
	want = want[1:]
	got, err := await(t, func(fn func([]string, error)) { b.Orphans("i1", fn) })
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d orphans, want %d: %v", len(got), len(want), err)
	}
}

func leases(t testing.TB, b *jetstream.Bus) map[string]broker.Lease {
	t.Helper()
	all, err := await(t, func(fn func([]broker.Lease, error)) { b.Leases(fn) })
	if err != nil {
		t.Fatal(err)
	}
	byNode := make(map[string]broker.Lease)
	for _, l := range all {
		byNode[l.Node+" "+l.Instance] = l
	}
	return byNode
}

func leaseOf(t testing.TB, asked *jetstream.Bus, node, instance string) broker.Lease {
	t.Helper()
	return leases(t, asked)[node+" "+instance]
}

func TestLeases(t *testing.T) {
	url := startNATS(t).url()
	a, b := pair(t, url)
	if a.Instance() == b.Instance() || len(leases(t, a)) != 2 {
		t.Fatalf("instances %s and %s, leases %v", a.Instance(), b.Instance(), leases(t, a))
	}
	seen := leaseOf(t, a, "node-b", b.Instance())
	if seen.State != broker.LeaseAlive || seen.Shards != 2 || time.Since(seen.Since) > time.Minute {
		t.Errorf("lease %+v", seen)
	}
	eventually(t, "the lease is renewed", func() bool { return leaseOf(t, a, "node-b", b.Instance()).Revision > seen.Revision })
	declare := func(l broker.Lease) error { return awaitErr(t, func(fn func(error)) { a.DeclareDead(l, fn) }) }
	if err := declare(seen); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("declared dead on an old sight: %v", err)
	}
	lost := make(chan struct{})
	b.OnLost(func() { close(lost) })
	eventually(t, "declared dead", func() bool { return declare(leaseOf(t, a, "node-b", b.Instance())) == nil })
	<-lost
	dead := leaseOf(t, a, "node-b", b.Instance())
	if dead.State != broker.LeaseDead || dead.Since.Before(seen.Since) {
		t.Errorf("lease %+v", dead)
	}
	reborn, err := b.Reborn(t.Context())
	if err != nil || reborn == dead.Instance || b.Instance() != reborn || len(leases(t, a)) != 3 {
		t.Errorf("reborn as %s: %v; %v", reborn, err, leases(t, a))
	}
	if err := awaitErr(t, func(fn func(error)) { a.Bury(dead, fn) }); err != nil || len(leases(t, a)) != 2 {
		t.Errorf("bury: %v, %v", err, leases(t, a))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if l := leaseOf(t, a, "node-b", reborn); l.State != broker.LeaseLeft {
		t.Errorf("lease %+v", l)
	}
}

func TestLeasesAlone(t *testing.T) {
	dir := t.TempDir()
	b := openAlone(t, jetstream.Config{Dir: dir})
	first := b.Instance()
	if err := jetstream.Kill(b); err != nil {
		t.Fatal(err)
	}
	b = openAlone(t, jetstream.Config{Dir: dir})
	second := b.Instance()
	if l := leaseOf(t, b, "alone", first); l.State != broker.LeaseDead {
		t.Errorf("the former instance %+v", l)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openAlone(t, jetstream.Config{Dir: dir})
	if l := leaseOf(t, b, "alone", second); l.State != broker.LeaseLeft {
		t.Errorf("the former instance %+v", l)
	}
}

// A lease that a newer program has written is told of once, however often the
// leases are read.
func TestLeaseThatCannotBeRead(t *testing.T) {
	var log strings.Builder
	var mu sync.Mutex
	b := openAlone(t, jetstream.Config{Logger: slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))})
	if _, err := jetstream.JetStreamOf(b).Publish(t.Context(), "$KV.LEASES.newer", []byte(`{"v":99,"state":"alive"}`)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n := len(leases(t, b)); n != 2 {
			t.Errorf("%d leases", n)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(log.String(), "a lease cannot be read"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

type writerFunc func([]byte) (int, error)

// Write implements io.Writer.
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestEvents(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	e := broker.Event{
		Type: broker.EventDisconnected, Org: "acme", App: "chat", User: "ana", ClientID: "phone", Node: "alone",
		Instance: b.Instance(), Epoch: 3, Reason: "keep alive timeout", Will: true, At: time.UnixMilli(1_700_000_000_123).UTC(),
	}
	b.Emit(e)
	eventually(t, "stored", func() bool { return streamNamed(t, b, "EVENTS").CachedInfo().State.Msgs == 1 })
	m, err := streamNamed(t, b, "EVENTS").GetMsg(t.Context(), 1)
	want := fmt.Sprintf(`{"type":"disconnected","org":"acme","app":"chat","user":"ana","client_id":"phone","node":"alone","instance":%q,`+
		`"epoch":3,"reason":"keep alive timeout","will":true,"at":"2023-11-14T22:13:20.123Z"}`, b.Instance())
	if err != nil || m.Subject != "events.acme.chat.disconnected" || string(m.Data) != want {
		t.Errorf("got %s %s, %v; want %s", m.Subject, m.Data, err, want)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.Emit(e)
	if s := b.Stats(); s.Events != 1 || s.EventsLost != 1 {
		t.Errorf("%d sent, %d lost", s.Events, s.EventsLost)
	}
}

// TestEventsDoNotWait emits more than there is room for while NATS is away.
func TestEventsDoNotWait(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	n.stop()
	for range 200_000 {
		b.Emit(broker.Event{Type: broker.EventConnected, Org: "acme", App: "chat", ClientID: strings.Repeat("x", 100)})
	}
	eventually(t, "events are lost", func() bool { return b.Stats().EventsLost > 0 })
	n.start()
}
