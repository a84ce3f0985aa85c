package session_test

import (
	"maps"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// model knows what a session owes to its client's requests, and to its driver,
// and watches that it does that, and nothing else. What it owes to subscribers
// is sim's.
type model struct {
	t      failer
	s      *session.Session
	limits session.Limits
	auth   grants
	now    time.Time

	filters  map[string]byte     // subscriptions and their QoS
	entered  map[string]bool     // the same, as the effects tell it
	instant  int                 // QoS 0 messages to be sent at once
	incoming []published         // publishes without PUBACK or PUBREC
	received map[uint16]bool     // QoS 2 publishes without PUBREL
	again    []uint16            // those that came again: PUBREC at once
	released []uint16            // PUBRELs without PUBCOMP
	asked    []subscribed        // SUBSCRIBEs without SUBACK
	shrunk   bool                // some filter was removed
	failed   bool                // some Subscribed had an error, so codes may change
	closed   bool                // Close was seen
	reason   session.Reason      // and why
	wills    int                 // published
	packets  map[packet.Type]int // sent by the session
}

// published is a PUBLISH that will be acknowledged.
type published struct {
	id   uint16
	kind packet.Type
	deny bool // nothing but the acknowledgement becomes of it
	safe bool // the log has it, or it was denied
}

// subscribed is what a SUBACK should be.
type subscribed struct {
	id      uint16
	codes   []byte
	waiting bool // for Subscribed
}

func newModel(t failer, limits session.Limits, will *packet.Will) *model {
	m := &model{
		t: t, s: session.New(&limits, epoch), limits: limits, now: epoch,
		auth:    grants{allow: []string{"acme/#"}, deny: []string{"acme/secret/#"}},
		filters: map[string]byte{}, entered: map[string]bool{}, received: map[uint16]bool{}, packets: map[packet.Type]int{},
	}
	m.send(packet.Connect{ClientID: "c", Clean: true, Will: will, KeepAlive: 10}.Append(nil))
	m.s.Accept(session.Admission{Key: "acme/chat/ana/c", Authorizer: m.auth, Lossless: true}, m.now)
	m.s.Claimed(nil, nil, m.now)
	m.watch()
	return m
}

// send feeds bytes that are whole packets.
func (m *model) send(b []byte) {
	m.t.Helper()
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
	for i := range effects {
		m.effect(&effects[i])
		if m.closed != (i == len(effects)-1 && effects[i].Kind == session.Close) {
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
	if m.instant > 0 || len(m.again) > 0 || len(m.released) > 0 {
		m.t.Fatalf("not sent: QoS 0 %d, PUBREC %v, PUBCOMP %v", m.instant, m.again, m.released)
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
		m.instant--
	case packet.PUBACK, packet.PUBREC, packet.PUBCOMP:
		m.sentAck(f)
	case packet.SUBACK:
		m.sentSuback(f)
	default:
	}
}

// sentAck checks that an acknowledgement is due, and that it is its turn.
func (m *model) sentAck(f packet.Frame) {
	m.t.Helper()
	var p packet.Ack
	if err := p.Decode(f); err != nil {
		m.t.Fatalf("%s: %v", f.Type, err)
	}
	line := &m.released
	if f.Type == packet.PUBREC && m.received[p.PacketID] {
		line = &m.again
	} else if f.Type != packet.PUBCOMP {
		if len(m.incoming) == 0 || m.incoming[0].id != p.PacketID || m.incoming[0].kind != f.Type || !m.incoming[0].safe {
			m.t.Fatalf("%s %d, while %v wait", f.Type, p.PacketID, m.incoming)
		}
		if f.Type == packet.PUBREC && !m.incoming[0].deny {
			m.received[p.PacketID] = true
		}
		m.incoming = m.incoming[1:]
		return
	}
	if len(*line) == 0 || (*line)[0] != p.PacketID {
		m.t.Fatalf("%s %d, while %v wait", f.Type, p.PacketID, *line)
	}
	*line = (*line)[1:]
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

func (m *model) effect(e *session.Effect) {
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

// deliver hands a QoS 0 message to the session, as a driver would: if it
// matches, or matched until a moment ago.
func (m *model) deliver(name string, congested bool) {
	matches := slices.ContainsFunc(slices.Collect(maps.Keys(m.filters)), func(f string) bool { return topic.Match(f, name) })
	if !matches && !m.shrunk {
		return
	}
	if matches && !congested && !m.closed {
		m.instant++
	}
	m.s.Deliver(&broker.Message{Topic: name}, new(session.Encodings), congested, m.now)
	m.watch()
}
