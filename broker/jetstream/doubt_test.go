package jetstream_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// doubts hears the reasons for which a bus doubts.
func doubts(b *jetstream.Bus) <-chan string {
	c := make(chan string, 64)
	b.OnDoubt(func(reason string) { c <- reason })
	return c
}

// doubted waits for a doubt with that reason; others may come before.
func doubted(t *testing.T, c <-chan string, want string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case reason := <-c:
			if reason == want {
				return
			}
		case <-late:
			t.Fatalf("no doubt: %s", want)
		}
	}
}

// stuck is an edge that takes nothing until it is let go.
type stuck struct {
	audience

	let chan struct{}
}

func (s *stuck) Deliver(m *broker.Message) {
	<-s.let
	s.audience.Deliver(m)
}

// TestDoubt gives a node each of the reasons to think that it has lost something.
func TestDoubt(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	reasons := doubts(b)
	other, err := nats.Connect(n.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)

	t.Run("election", func(t *testing.T) {
		const advisory = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."
		for _, stream := range []string{"RETAINED", jetstream.StreamName(1)} {
			if err := other.Publish(advisory+stream, nil); err != nil {
				t.Fatal(err)
			}
		}
		doubted(t, reasons, "election")
		if got := b.Stats().Doubts; got != 1 {
			t.Errorf("%d doubts: another stream than a shard's counts", got)
		}
	})
	t.Run("slow consumer", func(t *testing.T) {
		s := &stuck{let: make(chan struct{})}
		defer close(s.let)
		b.Attach(s)
		interested(t, b, "acme/#")
		m := message(0, "acme/a", "x")
		m.ID = jetstream.NextID(jetstream.NewIDs(), time.Now())
		m.Node = "node-b"
		data := jetstream.AppendEnvelope(nil, m)
		for range 20_000 { // more than twice what may wait
			if err := other.Publish(jetstream.LiveSubject("acme/a"), data); err != nil {
				t.Fatal(err)
			}
		}
		doubted(t, reasons, "slow_consumer")
	})
	t.Run("reconnect", func(t *testing.T) {
		n.stop()
		n.start()
		doubted(t, reasons, "reconnect")
	})
}

// TestDoubtOfTheSender has one of two nodes reconnect: the other hears of it.
func TestDoubtOfTheSender(t *testing.T) {
	n := startNATS(t)
	a := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	b := open(t, jetstream.Config{Node: "node-b", URL: n.url()})
	reasons := doubts(b)
	if err := a.Trunk().ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	doubted(t, reasons, "sender")
}
