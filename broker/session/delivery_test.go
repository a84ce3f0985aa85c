package session_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

var (
	someName   = rapid.SampledFrom([]string{"acme/a", "acme/b", "acme/a/x"})
	someFilter = rapid.SampledFrom([]string{"acme/a", "acme/b", "acme/a/#", "acme/#"})
)

// TestDelivery lets a durable session, its client, the log and the network do
// what they like, and holds it to its promise: every message of QoS 1 and 2
// that is owed arrives, in the order of the log where the path is in order, and
// one of QoS 2 arrives once, over all connections.
func TestDelivery(t *testing.T) {
	for _, lossless := range []bool{true, false} {
		t.Run(map[bool]string{true: "lossless", false: "lossy"}[lossless], func(t *testing.T) {
			for range 5 { // it takes a few hundred to come across everything
				rapid.Check(t, func(t *rapid.T) { deliverAtRandom(t, lossless) })
			}
		})
	}
}

func deliverAtRandom(t *rapid.T, lossless bool) {
	m := newSim(t, lossless, rapid.IntRange(1, 5).Draw(t, "receive"))
	m.send(m.client.subscribe("acme/a", 2, 0, 0))
	actions := map[string]func(*rapid.T){
		"append":      m.someAppend,
		"append more": m.someAppend,
		"live":        m.someLive,
		"live more":   m.someLive,
		"live still":  m.someLive,
		"work":        m.someWork,
		"work more":   m.someWork,
		"subscribe": func(t *rapid.T) {
			if m.client.cut {
				return
			}
			m.send(m.client.subscribe(someFilter.Draw(t, "filter"), byte(rapid.IntRange(0, 2).Draw(t, "qos")), m.head, m.heard))
			m.forget()
		},
		"unsubscribe": func(t *rapid.T) {
			if m.client.cut {
				return
			}
			m.send(m.client.unsubscribe(someFilter.Draw(t, "filter")))
			m.forget()
		},
		"acknowledge":      m.someAck,
		"acknowledge more": m.someAck,
		"drained":          func(*rapid.T) { m.s.Drained(m.now); m.watch() },
		"tick":             func(*rapid.T) { m.now = m.now.Add(300 * time.Millisecond); m.s.Tick(m.now); m.watch() },
		"probe":            func(*rapid.T) { m.s.Probe(m.now); m.watch() },
		"lag": func(t *rapid.T) {
			if !lossless {
				m.lag = uint64(rapid.IntRange(0, 3).Draw(t, "lag"))
			}
		},
		"retention": func(t *rapid.T) {
			delete(m.log, uint64(rapid.IntRange(1, int(m.head)+1).Draw(t, "seq")))
			m.forget()
		},
		"cut":     func(t *rapid.T) { m.client.cut = m.client.cut || rapid.IntRange(0, 3).Draw(t, "cut") == 0 },
		"crash":   m.crash,
		"publish": m.publish,
		"log": func(t *rapid.T) {
			m.appendUp()
			m.answerUp(t)
		},
		"store": func(t *rapid.T) { m.storeDown = rapid.IntRange(0, 2).Draw(t, "down") == 0 },
		"reconnect": func(t *rapid.T) {
			m.reconnect(rapid.IntRange(1, 5).Draw(t, "receive"))
		},
	}
	t.Repeat(actions)
	m.settle(t)
}

func (m *sim) reconnect(receive int) {
	m.s.Lost(m.now)
	m.watch()
	m.connect(receive)
}

func (m *sim) someAppend(t *rapid.T) {
	m.append(someName.Draw(t, "name"), byte(rapid.IntRange(1, 2).Draw(t, "qos")))
}

// someLive lets a live message arrive. Where the path is lossy it may be any,
// or be lost, or come again.
func (m *sim) someLive(t *rapid.T) {
	if len(m.live) == 0 {
		return
	}
	congested := rapid.IntRange(0, 5).Draw(t, "congested") == 0
	if m.lossless {
		m.deliver(m.overtake(t), congested)
		return
	}
	i := rapid.IntRange(0, len(m.live)-1).Draw(t, "which")
	switch rapid.IntRange(0, 4).Draw(t, "fate") {
	case 0:
		m.live = slices.Delete(m.live, i, i+1)
	case 1:
		m.live = append(m.live, m.live[i])
		m.deliver(i, congested)
	default:
		m.deliver(i, congested)
	}
}

// overtake chooses who is next where the path is in order: the first, or one
// that does not wait while messages of other topics become retained.
func (m *sim) overtake(t *rapid.T) int {
	i := rapid.IntRange(0, min(len(m.live)-1, 2)).Draw(t, "overtakes")
	msg, before := m.live[i], m.live[:i]
	if slices.ContainsFunc(before, func(b *broker.Message) bool { return b.Topic == msg.Topic }) {
		return 0
	}
	for _, b := range before {
		if b.Position.Seq < msg.Position.Seq && (msg.Overtakes == 0 || b.Position.Seq < msg.Overtakes) {
			msg.Overtakes = b.Position.Seq
		}
	}
	m.overtaken = m.overtaken || i > 0
	return i
}

func (m *sim) someWork(t *rapid.T) {
	if len(m.tasks) > 0 {
		m.work(rapid.IntRange(0, len(m.tasks)-1).Draw(t, "task"))
	}
}

func (m *sim) someAck(t *rapid.T) {
	ids := slices.Sorted(maps.Keys(m.client.window))
	if len(ids) > 0 && !m.client.cut {
		m.acknowledge(ids[rapid.IntRange(0, len(ids)-1).Draw(t, "id")])
	}
}

// acknowledge sends what is due for an identifier.
func (m *sim) acknowledge(id uint16) {
	ack, seq := m.client.next(id)
	if ack == nil {
		return
	}
	if seq != 0 {
		m.done[seq] = true
	}
	m.send(ack)
}

// settle brings everything to rest: then nothing may be owed.
func (m *sim) settle(t *rapid.T) {
	if m.lag, m.storeDown = 0, false; m.client.cut {
		m.reconnect(3)
	}
	for range 200 {
		for len(m.tasks) > 0 {
			m.work(0)
		}
		for m.lossless && len(m.live) > 0 {
			m.deliver(0, false)
		}
		for m.appendUp(); len(m.upstream.given) > 0; m.appendUp() {
			m.answered(0)
		}
		m.s.Drained(m.now)
		m.watch()
		for _, id := range slices.Sorted(maps.Keys(m.client.window)) {
			m.acknowledge(id)
		}
		m.now = m.now.Add(300 * time.Millisecond)
		m.s.Tick(m.now)
		m.s.Probe(m.now)
		m.watch()
	}
	if len(m.owed) > 0 || len(m.client.window) > 0 {
		t.Fatalf("still owed: %v, on their way: %v", m.owed, m.client.window)
	}
	if u := &m.upstream; len(u.sent) > 0 || len(u.known) < int(u.last) {
		t.Fatalf("not completed: %v, in the log: %v of %d", u.sent, u.order, u.last)
	}
	m.s.Lost(m.now)
	m.watch()
	if r := m.record; len(r.Inflight) > 0 || len(r.Received)+len(r.Publishing) > 0 {
		t.Fatalf("at rest, and on their way are %v, %v, %v", r.Inflight, r.Received, r.Publishing)
	}
}

// TestOvertaken: a message that was kept back until it was retained comes when
// the client has acknowledged a newer one.
func TestOvertaken(t *testing.T) {
	m := newSim(t, true, 5)
	m.send(m.client.subscribe("acme/#", 1, 0, 0))
	for len(m.tasks) > 0 {
		m.work(0)
	}
	m.append("acme/a", 1)
	m.append("acme/b", 1)
	m.live[1].Overtakes, m.overtaken = 1, true
	m.deliver(1, false)
	for id := range maps.Clone(m.client.window) {
		m.acknowledge(id)
	}
	m.send(packet.Pingreq{}.Append(nil)) // with which the session puts its books in order
	m.deliver(0, false)
	if len(m.owed) > 0 {
		t.Errorf("still owed: %v", m.owed)
	}
}
