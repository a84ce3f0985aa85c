package jetstream_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// pair is two nodes on one NATS.
func pair(t testing.TB, url string) (a, b *jetstream.Bus) {
	t.Helper()
	return open(t, jetstream.Config{Node: "node-a", URL: url}), open(t, jetstream.Config{Node: "node-b", URL: url})
}

func TestTwoNodes(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	if a.Alone() || a.Shards() != 2 || b.Shards() != 2 {
		t.Errorf("alone %v, shards %d and %d", a.Alone(), a.Shards(), b.Shards())
	}
	atA, atB := attach(a), attach(b)
	interested(t, b, "acme/chat/users/+/#")
	interested(t, a, "acme/chat/#") // no-echo: its own must come once
	zero, one := message(0, "acme/chat/users/ana", "zero"), message(1, "acme/chat/users/ana/x", "one")
	one.Retain, one.UTF8, one.ContentType, one.Publisher, one.Position.Shard = true, true, "text/plain", "acme/chat/ana/p", 1
	publish(t, a, zero)
	p := publish(t, a, one)
	publish(t, a, message(1, "acme/chat/topics/x", "nobody at b"))
	eventually(t, "delivered at a", func() bool { return atA.payloads() == "zero one nobody at b" })
	eventually(t, "delivered at b", func() bool { return len(atB.messages()) == 2 })
	got := atB.messages()
	if got[0].Topic != zero.Topic || got[0].QoS != 0 || got[0].Node != "node-a" || got[0].Position.Seq != 0 {
		t.Errorf("got %+v", got[0])
	}
	if m := got[1]; m.Position != p || p.Shard != 1 || fmt.Sprintf("%+v", m) != fmt.Sprintf("%+v", *one) {
		t.Errorf("got %+v, want %+v", m, *one)
	}
	publish(t, b, message(1, "acme/chat/users/bob", "back"))
	eventually(t, "delivered at a", func() bool { return strings.HasSuffix(atA.payloads(), "back") })
	if n := len(stored(t, a, 0)) + len(stored(t, b, 1)); n != 3 {
		t.Errorf("%d messages in the log", n)
	}
}

func TestReadyInterestReceivesAtOnce(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	got := attach(b)
	before := b.Trunk().NumSubscriptions()
	for i := range 300 {
		name := fmt.Sprintf("acme/chat/%d", i)
		interested(t, b, name)
		publish(t, a, message(byte(i%2), name, "x"))
		if i%3 == 0 { // not before what was published has had its way here
			eventually(t, "received", func() bool { return len(got.messages()) == i+1 })
			b.RemoveInterest(name)
		}
	}
	eventually(t, "all received", func() bool { return len(got.messages()) == 300 })
	eventually(t, "interests gone", func() bool { return b.Trunk().NumSubscriptions() <= before+200 })
	if n := b.Stats().Interests; n != 200 {
		t.Errorf("%d interests", n)
	}
}

func TestInterestIsCounted(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	got := attach(b)
	interested(t, b, "acme/a/x", "acme/a/x", "acme/a/y")
	b.RemoveInterest("acme/a/x")
	b.RemoveInterest("acme/a/none")
	b.RemoveInterest("globex/#")
	interested(t, b, "acme/a/y")
	publish(t, a, message(0, "acme/a/x", "1"))
	eventually(t, "received", func() bool { return got.payloads() == "1" })
	b.RemoveInterest("acme/a/x")
	b.RemoveInterest("acme/a/x")
	interested(t, b, "acme/a/z") // its flush follows the removal
	publish(t, a, message(0, "acme/a/x", "2"))
	publish(t, a, message(0, "acme/a/z", "3"))
	eventually(t, "received", func() bool { return strings.HasSuffix(got.payloads(), "3") })
	if got.payloads() != "1 3" {
		t.Errorf("got %s", got.payloads())
	}
}

func TestInterestRefusesWhatItCannotMatch(t *testing.T) {
	_, b := pair(t, startNATS(t).url())
	ready := make(chan error, 1)
	b.AddInterest("acme/#/x", func(err error) { ready <- err })
	if err := <-ready; code(err) != "invalid" {
		t.Errorf("got %v", err)
	}
	b.RemoveInterest("acme/#/x")
}

// TestInterestAboveTheWall: the operator's clients may listen to several
// organizations at once.
func TestInterestAboveTheWall(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	got := attach(b)
	interested(t, b, "+/chat/#")
	publish(t, a, message(0, "acme/chat", "1"))
	publish(t, a, message(0, "globex/chat/x", "2"))
	publish(t, a, message(0, "acme/mail/x", "3"))
	publish(t, a, message(0, "acme/chat/x/y", "4"))
	eventually(t, "received", func() bool { return strings.HasSuffix(got.payloads(), "4") })
	if got.payloads() != "1 2 4" {
		t.Errorf("got %s", got.payloads())
	}
	b.RemoveInterest("+/chat/#")
	interested(t, b, "#", "acme/#")
	publish(t, a, message(0, "acme/mail/x", "5"))
	eventually(t, "received", func() bool { return strings.HasSuffix(got.payloads(), "4 5") })
}

func TestOverlappingInterestsDeliverOnce(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	got := attach(b)
	interested(t, b, "acme/#", "acme/chat/#", "acme/+/x", "acme/chat/x")
	for i := range 1000 {
		publishNow(t, a, message(0, "acme/chat/x", fmt.Sprint(i)))
	}
	eventually(t, "all copies", func() bool { return b.Stats().LiveCopies == 3000 })
	if n := len(got.messages()); n != 1000 {
		t.Errorf("%d messages", n)
	}
}

func publishNow(t testing.TB, b *jetstream.Bus, m *broker.Message) {
	t.Helper()
	if err := b.Publish(m, nil, 0); err != nil {
		t.Fatal(err)
	}
}

func TestManyFiltersOfAnApp(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	b.SetWide(20, 10)
	got := attach(b)
	name := func(i int) string { return fmt.Sprintf("acme/chat/%d", i) }
	subscriptions := func() int { return b.Trunk().NumSubscriptions() }
	before := subscriptions()
	interested(t, b, "acme/other/x", "acme/#")
	received := 0
	check := func(i int) {
		t.Helper()
		publishNow(t, a, message(0, name(i), fmt.Sprint(i)))
		received++
		eventually(t, fmt.Sprintf("message %d", i), func() bool { return len(got.messages()) == received })
	}
	b.RemoveInterest("acme/#")
	for i := range 30 {
		interested(t, b, name(i))
		check(i)
		check(i / 2)
	}
	if n := subscriptions() - before; n != 3 { // the other app's, the app's and its parent
		t.Errorf("%d subscriptions above the threshold", n)
	}
	for i := 29; i >= 15; i-- {
		b.RemoveInterest(name(i))
	}
	interested(t, b, name(0))
	if n := subscriptions() - before; n != 3 {
		t.Errorf("%d subscriptions between the thresholds", n)
	}
	for i := 14; i >= 5; i-- {
		b.RemoveInterest(name(i))
	}
	interested(t, b, name(0))
	if n := subscriptions() - before; n != 6 {
		t.Errorf("%d subscriptions below the threshold", n)
	}
	for i := range 5 {
		check(i)
	}
	for i := range 5 {
		b.RemoveInterest(name(i))
	}
	b.RemoveInterest(name(0))
	b.RemoveInterest(name(0))
	b.RemoveInterest("acme/other/x")
	eventually(t, "nothing left", func() bool { return subscriptions() == before && b.Stats().Interests == 0 })
}

func TestAppPrefix(t *testing.T) {
	for filter, want := range map[string]string{
		"acme/chat/x": "acme/chat/", "acme/chat/#": "acme/chat/", "acme//x": "acme//",
		"acme/+/x": "", "acme/#": "", "acme/chat": "", "acme": "",
	} {
		if got := jetstream.AppPrefix(filter); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

func TestInterestUnderChurn(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	b.SetWide(8, 4)
	got := attach(b)
	interested(t, b, "acme/chat/kept")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				f := fmt.Sprintf("acme/chat/%d/%d", g, i%5)
				b.AddInterest(f, func(error) {})
				publishNow(t, a, message(0, "acme/chat/kept", "x"))
				b.RemoveInterest(f)
			}
		})
	}
	wg.Wait()
	eventually(t, "every message once", func() bool { return len(got.messages()) == 2000 })
	if n := b.Stats().Interests; n != 1 {
		t.Errorf("%d interests", n)
	}
}

func TestAnnounce(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	var mu sync.Mutex
	heard := make(map[string]string)
	for name, bus := range map[string]*jetstream.Bus{"a": a, "b": b} {
		err := bus.OnAnnounce("app.changed", func(data []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard[name] += string(data) + " "
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := a.Announce("app.changed", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both heard all", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return heard["a"] == "0 1 2 " && heard["b"] == "0 1 2 "
	})
}

func TestNameClash(t *testing.T) {
	n := startNATS(t)
	a := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	if _, err := tryOpen(t, jetstream.Config{Node: "node-a", URL: n.url()}); err == nil || !strings.Contains(err.Error(), `named "node-a" already`) {
		t.Fatalf("got %v", err)
	}
	if err := a.Ready(t.Context()); err != nil {
		t.Errorf("the first is not ready any more: %v", err)
	}
	// Killed: its connections end and its entry stays.
	a.Trunk().Close()
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, jetstream.Config{Node: "node-a", URL: n.url()})
}

func TestTwoStartsOfOneName(t *testing.T) {
	n := startNATS(t)
	open(t, jetstream.Config{Node: "first", URL: n.url()}) // makes the streams
	var wg sync.WaitGroup
	var mu sync.Mutex
	opened := 0
	for range 4 {
		wg.Go(func() {
			b, err := tryOpen(t, jetstream.Config{Node: "same", URL: n.url()})
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = b.Close() })
			mu.Lock()
			defer mu.Unlock()
			opened++
		})
	}
	wg.Wait()
	if opened != 1 {
		t.Errorf("%d nodes of one name", opened)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	n := startNATS(t)
	a := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	if _, err := a.Trunk().Request("$KV.META.schema", []byte("2"), patience); err != nil {
		t.Fatal(err)
	}
	if _, err := tryOpen(t, jetstream.Config{Node: "node-b", URL: n.url()}); err == nil || !strings.Contains(err.Error(), "schema 2") {
		t.Errorf("got %v", err)
	}
}

func TestDamagedLiveMessageIsLeftOut(t *testing.T) {
	a, b := pair(t, startNATS(t).url())
	got := attach(b)
	interested(t, b, "acme/#")
	for _, data := range [][]byte{nil, []byte("nonsense"), {2, 0}} {
		if err := a.Trunk().PublishMsg(&nats.Msg{Subject: "live.acme.x", Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all looked at", func() bool { return b.Stats().LiveDamaged == 3 })
	publish(t, a, message(0, "acme/x", "good"))
	eventually(t, "the good one", func() bool { return got.payloads() == "good" })
}
