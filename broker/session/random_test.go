package session_test

import (
	"slices"
	"strings"
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
	l.MaxSubscriptions, l.MaxUnacknowledged = 4, 4
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
			"pubrel":      m.anyPubrel,
			"subscribe":   m.anySubscribe,
			"subscribed":  m.anySubscribed,
			"unsubscribe": m.anyUnsubscribe,
			"deliver": func(t *rapid.T) {
				m.deliver(anyName.Draw(t, "name"), anyBool.Draw(t, "congested"))
			},
			"drained": func(*rapid.T) { m.s.Drained(m.now); m.watch() },
			"ping":    func(*rapid.T) { m.send(packet.Pingreq{}.Append(nil)) },
			"tick":    m.anyTick,
			"end":     m.anyEnd,
		})
		m.finish()
	})
	if !session.NobodyWroteToNone() {
		t.Fatal("sessions have written to what they share")
	}
}

func (m *model) anyPublish(t *rapid.T) {
	if !m.s.Wants() {
		return
	}
	p := packet.Publish{
		Topic: []byte(anyName.Draw(t, "name")), PacketID: anyID.Draw(t, "id"), QoS: anyQoS.Draw(t, "qos"), Payload: []byte("hi"),
	}
	waits := slices.ContainsFunc(m.incoming, func(in published) bool { return in.id == p.PacketID })
	allowed := m.auth.MayPublish(string(p.Topic))
	switch p.QoS {
	case 0:
	case 1:
		if p.Dup = waits && !m.received[p.PacketID]; !p.Dup {
			m.incoming = append(m.incoming, published{p.PacketID, packet.PUBACK, !allowed, !allowed})
		}
	default:
		p.PacketID += 10 // not those of QoS 1
		switch waits = slices.ContainsFunc(m.incoming, func(in published) bool { return in.id == p.PacketID }); {
		case m.received[p.PacketID]:
			m.again = append(m.again, p.PacketID)
		case !waits:
			m.incoming = append(m.incoming, published{p.PacketID, packet.PUBREC, !allowed, !allowed})
		}
	}
	m.send(p.Append(nil))
}

func (m *model) anyPublished(t *rapid.T) {
	if len(m.incoming) > 0 {
		m.published(rapid.IntRange(0, len(m.incoming)-1).Draw(t, "which"))
	}
}

// published answers for a message that waits for the log.
func (m *model) published(i int) {
	if !m.incoming[i].safe {
		m.incoming[i].safe = true
		m.s.Published(m.incoming[i].id, nil, m.now)
		m.watch()
	}
}

func (m *model) anyPubrel(t *rapid.T) {
	if id := anyID.Draw(t, "id") + 10; m.s.Wants() {
		delete(m.received, id)
		m.released = append(m.released, id)
		m.send(packet.Ack{Type: packet.PUBREL, PacketID: id}.Append(nil))
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
		if !m.auth.MaySubscribe(strings.TrimPrefix(sub.Filter, "$share/g/")) || (!had && len(m.filters) == m.limits.MaxSubscriptions) {
			a.codes = append(a.codes, packet.SubackFailure)
			continue
		}
		a.codes = append(a.codes, sub.QoS)
		a.waiting = a.waiting || !had
		m.filters[sub.Filter] = sub.QoS
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
	m.s.Subscribed(id, 0, err, m.now)
	m.watch()
}

func (m *model) anyUnsubscribe(t *rapid.T) {
	if m.s.Wants() {
		m.send(packet.Unsubscribe{PacketID: anyID.Draw(t, "id"), Filters: []string{anyFilter.Draw(t, "filter")}}.Append(nil))
	}
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
		for _, a := range m.asked {
			m.s.Subscribed(a.id, 0, nil, m.now)
		}
		for i := range m.asked {
			m.asked[i].waiting = false
		}
		m.watch()
		if len(m.incoming) > 0 {
			m.published(0)
		}
	}
	if !m.closed && len(m.incoming)+len(m.asked) > 0 {
		m.t.Fatalf("owes acknowledgements %v, SUBACKs %v", m.incoming, m.asked)
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
