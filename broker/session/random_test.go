package session_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

var (
	anyName   = rapid.SampledFrom([]string{"acme/a", "acme/b", "acme/a/x", "acme/secret/x", "globex/a"})
	anyFilter = rapid.SampledFrom([]string{"acme/a", "acme/b", "acme/+", "acme/a/#", "acme/+/x", "acme/#", "globex/#", "$share/g/acme/a"})
	anyQoS    = rapid.Custom(func(t *rapid.T) byte { return byte(rapid.IntRange(0, 2).Draw(t, "qos")) })
	anyBool   = rapid.Bool()
	anyID     = rapid.Custom(func(t *rapid.T) uint16 { return uint16(rapid.IntRange(1, 9).Draw(t, "id")) })
)

// tight makes limits that a random walk runs into.
func tight() session.Limits {
	l := session.DefaultLimits()
	l.MaxInflight, l.MaxPending, l.MaxSubscriptions, l.MaxUnacknowledged = 3, 5, 4, 4
	return l
}

// TestRandomOperations lets a client, a log and a subscription tree of no
// particular manners loose on a session.
func TestRandomOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, tight(), &packet.Will{Topic: "acme/will"})
		t.Repeat(map[string]func(*rapid.T){
			"publish":     m.anyPublish,
			"published":   m.anyPublished,
			"subscribe":   m.anySubscribe,
			"subscribed":  m.anySubscribed,
			"unsubscribe": m.anyUnsubscribe,
			"deliver": func(t *rapid.T) {
				m.deliver(anyName.Draw(t, "name"), anyQoS.Draw(t, "qos"), anyBool.Draw(t, "congested"))
			},
			"deliver free": func(t *rapid.T) { m.deliver(anyName.Draw(t, "name"), 1, false) },
			"drained":      func(*rapid.T) { m.s.Drained(m.now); m.watch() },
			"puback":       m.anyPuback,
			"ping":         func(*rapid.T) { m.send(packet.Pingreq{}.Append(nil)) },
			"tick":         m.anyTick,
			"end":          m.anyEnd,
		})
		m.finish()
	})
}

func (m *model) anyPublish(t *rapid.T) {
	if !m.s.Wants() {
		return
	}
	p := packet.Publish{
		Topic: []byte(anyName.Draw(t, "name")), PacketID: anyID.Draw(t, "id"),
		QoS: min(anyQoS.Draw(t, "qos"), 1), Payload: []byte("hi"),
	}
	if p.QoS == 1 {
		if p.Dup = slices.Contains(m.incoming, p.PacketID); !p.Dup {
			m.incoming = append(m.incoming, p.PacketID)
			m.safe[p.PacketID] = !m.auth.MayPublish(string(p.Topic))
		}
	}
	m.send(p.Append(nil))
}

func (m *model) anyPublished(t *rapid.T) {
	if id := anyID.Draw(t, "id"); slices.Contains(m.incoming, id) {
		m.safe[id] = true
		m.s.Published(id, nil, m.now)
		m.watch()
	}
}

func (m *model) anySubscribe(t *rapid.T) {
	p := packet.Subscribe{PacketID: anyID.Draw(t, "id")}
	if !m.s.Wants() || slices.ContainsFunc(m.asked, func(a subscribed) bool { return a.id == p.PacketID }) {
		return
	}
	a := subscribed{id: p.PacketID}
	for range rapid.IntRange(1, 3).Draw(t, "filters") {
		sub := packet.Subscription{Filter: anyFilter.Draw(t, "filter"), QoS: anyQoS.Draw(t, "qos")}
		p.Subscriptions = append(p.Subscriptions, sub)
		_, had := m.filters[sub.Filter]
		if !m.auth.MaySubscribe(sub.Filter) || (!had && len(m.filters) == m.limits.MaxSubscriptions) {
			a.codes = append(a.codes, packet.SubackFailure)
			continue
		}
		a.codes = append(a.codes, min(sub.QoS, 1))
		a.waiting = a.waiting || !had
		m.filters[sub.Filter] = min(sub.QoS, 1)
	}
	m.asked = append(m.asked, a)
	m.send(p.Append(nil))
}

func (m *model) anySubscribed(t *rapid.T) {
	id, fails := anyID.Draw(t, "id"), rapid.IntRange(0, 4).Draw(t, "fails") == 0
	i := slices.IndexFunc(m.asked, func(a subscribed) bool { return a.id == id && a.waiting })
	if i < 0 {
		return
	}
	m.asked[i].waiting = false
	var err error
	if fails {
		m.failed, err = true, broker.ErrUnavailable
	}
	m.s.Subscribed(id, err, m.now)
	m.watch()
}

func (m *model) anyUnsubscribe(t *rapid.T) {
	if m.s.Wants() {
		m.send(packet.Unsubscribe{PacketID: anyID.Draw(t, "id"), Filters: []string{anyFilter.Draw(t, "filter")}}.Append(nil))
	}
}

func (m *model) anyPuback(t *rapid.T) {
	if m.s.Wants() {
		m.puback(anyID.Draw(t, "id"))
	}
}

func (m *model) puback(id uint16) {
	delete(m.inflight, id)
	m.send(packet.Ack{Type: packet.PUBACK, PacketID: id}.Append(nil))
}

func (m *model) anyTick(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
	late := m.now.Before(m.s.Deadline())
	m.s.Tick(m.now)
	m.watch()
	if late && m.reason.Name == session.ReasonKeepAlive.Name {
		m.t.Fatalf("closed before its deadline")
	}
}

// anyEnd is rare, for else nothing else would happen.
func (m *model) anyEnd(t *rapid.T) {
	switch rapid.IntRange(0, 40).Draw(t, "end") {
	case 1:
		m.s.Lost(m.now)
	case 2:
		m.s.Takeover(m.now)
	case 3:
		m.s.Shutdown(m.now)
	case 4:
		m.s.Published(99, broker.ErrUnavailable, m.now) // not its own: no end
	default:
		return
	}
	m.watch()
}

// finish answers everything that is open: nothing may be left owed.
func (m *model) finish() {
	for range 100 {
		m.s.Drained(m.now)
		m.watch()
		for id := range m.inflight {
			m.puback(id)
		}
		for _, a := range m.asked {
			m.s.Subscribed(a.id, nil, m.now)
		}
		for _, id := range m.incoming {
			m.safe[id] = true
			m.s.Published(id, nil, m.now)
		}
		for i := range m.asked {
			m.asked[i].waiting = false
		}
		m.watch()
	}
	if !m.closed && len(m.owed)+len(m.incoming)+len(m.asked) > 0 {
		m.t.Fatalf("owes messages %v, PUBACKs %v, SUBACKs %v", m.owed, m.incoming, m.asked)
	}
	m.s.Lost(m.now)
	m.watch()
	want := 1
	if m.reason.Name == session.ReasonShutdown.Name {
		want = 0
	}
	if m.wills != want || m.packets[packet.CONNACK] != 1 {
		m.t.Fatalf("%d wills and %d CONNACKs, closed by %s", m.wills, m.packets[packet.CONNACK], m.reason.Name)
	}
}
