package session_test

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// failer is what the model needs of a test.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// model knows what a session owes its client and its driver, and watches that
// it does that, and nothing else.
type model struct {
	t      failer
	s      *session.Session
	limits session.Limits
	auth   grants
	now    time.Time

	filters  map[string]byte     // subscriptions and their QoS
	entered  map[string]bool     // the same, as the effects tell it
	inflight map[uint16]bool     // QoS 1 sent and not acknowledged
	owed     []uint32            // numbers of the QoS 1 messages to be sent, in order
	instant  []uint32            // numbers of the QoS 0 messages to be sent at once
	incoming []uint16            // QoS 1 publishes without PUBACK
	safe     map[uint16]bool     // those that may be acknowledged
	asked    []subscribed        // SUBSCRIBEs without SUBACK
	shrunk   bool                // some filter was removed
	failed   bool                // some Subscribed had an error, so codes may change
	closed   bool                // Close was seen
	reason   session.Reason      // and why
	wills    int                 // published
	last     uint32              // number of the last message
	packets  map[packet.Type]int // sent by the session
}

// subscribed is what a SUBACK should be.
type subscribed struct {
	id      uint16
	codes   []byte
	waiting bool // for Subscribed
}

func newModel(t failer, limits session.Limits, will *packet.Will) *model {
	m := &model{
		t: t, s: session.New(limits, epoch), limits: limits, now: epoch,
		auth:    grants{allow: []string{"acme/#"}, deny: []string{"acme/secret/#"}},
		filters: map[string]byte{}, entered: map[string]bool{}, inflight: map[uint16]bool{},
		safe: map[uint16]bool{}, packets: map[packet.Type]int{},
	}
	m.send(packet.Connect{ClientID: "c", Clean: true, Will: will, KeepAlive: 10}.Append(nil))
	m.s.Accept(session.Admission{Key: "acme/chat/ana/c", Authorizer: m.auth}, m.now)
	m.watch()
	return m
}

// send feeds bytes that are whole packets.
func (m *model) send(b []byte) {
	for len(b) > 0 {
		f, n, err := packet.Split(b, 0)
		if err != nil || n == 0 {
			m.t.Fatalf("not a packet: %x", b)
		}
		m.s.Receive(f, m.now)
		b = b[n:]
	}
	m.watch()
}

// watch drains the session and checks what came.
func (m *model) watch() {
	m.t.Helper()
	effects, out := m.s.Effects(), m.s.Output()
	if m.closed && (len(effects) > 0 || len(out) > 0) {
		m.t.Fatalf("after Close: %d effects, %x", len(effects), out)
	}
	for len(out) > 0 {
		f, n, err := packet.Split(out, 0)
		if err != nil || n == 0 {
			m.t.Fatalf("output is not a packet: %x", out)
		}
		m.sent(f)
		out = out[n:]
	}
	for i, e := range effects {
		m.effect(e)
		if m.closed != (i == len(effects)-1 && e.Kind == session.Close) {
			m.t.Fatalf("Close is not the last effect")
		}
	}
	m.settled()
}

// settled checks what holds between any two calls.
func (m *model) settled() {
	m.t.Helper()
	m.s.Drops()
	if m.closed != m.s.Closed() {
		m.t.Fatalf("closed %v, with a Close effect %v", m.s.Closed(), m.closed)
	}
	if m.closed {
		if len(m.entered) > 0 {
			m.t.Fatalf("closed, and still entered under %v", m.entered)
		}
		return
	}
	for f := range maps.Keys(m.filters) {
		if !m.entered[f] {
			m.t.Fatalf("not entered under %q", f)
		}
	}
	if len(m.instant) > 0 {
		m.t.Fatalf("QoS 0 was not sent: %v", m.instant)
	}
	if len(m.inflight) > m.limits.MaxInflight {
		m.t.Fatalf("%d in flight", len(m.inflight))
	}
	if len(m.owed) > m.limits.MaxPending {
		m.t.Fatalf("%d wait", len(m.owed))
	}
}

func (m *model) sent(f packet.Frame) {
	m.t.Helper()
	if _, err := describe(f); err != nil {
		m.t.Fatalf("a bad %s: %v", f.Type, err)
	}
	m.packets[f.Type]++
	switch f.Type {
	case packet.PUBLISH:
		m.sentPublish(f)
	case packet.PUBACK:
		m.sentPuback(f)
	case packet.SUBACK:
		m.sentSuback(f)
	default:
	}
}

func (m *model) sentPublish(f packet.Frame) {
	m.t.Helper()
	var p packet.Publish
	if err := p.Decode(f); err != nil || p.Dup || p.Retain {
		m.t.Fatalf("PUBLISH %+v: %v", p, err)
	}
	line := &m.instant
	if p.QoS == 1 {
		line = &m.owed
		if m.inflight[p.PacketID] {
			m.t.Fatalf("packet identifier %d twice in flight", p.PacketID)
		}
		m.inflight[p.PacketID] = true
	}
	number := binary.BigEndian.Uint32(p.Payload)
	if len(*line) == 0 || (*line)[0] != number {
		m.t.Fatalf("sent QoS %d message %d, owed %v", p.QoS, number, *line)
	}
	*line = (*line)[1:]
}

func (m *model) sentPuback(f packet.Frame) {
	m.t.Helper()
	var p packet.Ack
	if err := p.Decode(f); err != nil || len(m.incoming) == 0 || m.incoming[0] != p.PacketID || !m.safe[p.PacketID] {
		m.t.Fatalf("PUBACK %d, while %v wait and %v are safe", p.PacketID, m.incoming, m.safe)
	}
	delete(m.safe, p.PacketID)
	m.incoming = m.incoming[1:]
}

func (m *model) sentSuback(f packet.Frame) {
	m.t.Helper()
	var p packet.Suback
	if err := p.Decode(f); err != nil || len(m.asked) == 0 || m.asked[0].id != p.PacketID || m.asked[0].waiting {
		m.t.Fatalf("SUBACK %d, while %v wait", p.PacketID, m.asked)
	}
	if !m.failed && !slices.Equal(p.Codes, m.asked[0].codes) {
		m.t.Fatalf("SUBACK codes %x, want %x", p.Codes, m.asked[0].codes)
	}
	m.asked = m.asked[1:]
}

func (m *model) effect(e session.Effect) {
	m.t.Helper()
	switch e.Kind {
	case session.Subscribe:
		for _, f := range e.Filters {
			if m.entered[f] {
				m.t.Fatalf("entered twice under %q", f)
			}
			m.entered[f] = true
		}
	case session.Unsubscribe:
		for _, f := range e.Filters {
			if !m.entered[f] {
				m.t.Fatalf("not entered under %q", f)
			}
			delete(m.entered, f)
			delete(m.filters, f)
			m.shrunk = true
		}
	case session.Publish:
		if e.Message.Topic == "acme/will" {
			m.wills++
		}
	case session.Close:
		m.closed, m.reason = true, e.Reason
	default:
	}
}

// expect returns the QoS that a message should be delivered with.
func (m *model) expect(name string, qos byte) (byte, bool) {
	best, found := byte(0), false
	for f, granted := range m.filters {
		if topic.Match(f, name) {
			best, found = max(best, min(qos, granted)), true
		}
	}
	return best, found
}

// deliver hands a numbered message to the session, as a driver would: if it
// matches, or matched until a moment ago.
func (m *model) deliver(name string, qos byte, congested bool) {
	if _, ok := m.expect(name, qos); !ok && !m.shrunk {
		return
	}
	m.last++
	msg := &broker.Message{Topic: name, QoS: qos, Payload: binary.BigEndian.AppendUint32(nil, m.last)}
	switch got, ok := m.expect(name, qos); {
	case !ok || m.closed:
	case got == 1:
		m.owed = append(m.owed, m.last)
	case !congested:
		m.instant = append(m.instant, m.last)
	}
	m.s.Deliver(msg, new(session.Encodings), congested, m.now)
	m.watch()
}
