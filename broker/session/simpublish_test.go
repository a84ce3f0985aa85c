package session_test

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

// upstream is what the client publishes, and what of it is in the log.
type upstream struct {
	ids    byte     // given out by nextID
	last   byte     // the number of the newest message
	sent   []letter // not completed, in the order of sending
	orders []order  // for the log, oldest first
	given  []uint16 // the log has them, and the session does not know

	stored map[ulid.ULID]byte // the messages of the log, by ID
	order  []byte             // their numbers
	known  map[byte]int       // how often the log has a message
	exact  map[byte]bool      // it has QoS 2
}

// letter is a message as the client keeps it until it is completed.
type letter struct {
	id       uint16
	qos      byte
	number   byte
	received bool // PUBREC came
}

// order is a Publish effect.
type order struct {
	id      uint16
	message *broker.Message
}

func newUpstream() upstream {
	return upstream{stored: map[ulid.ULID]byte{}, known: map[byte]int{}, exact: map[byte]bool{}}
}

func (u *upstream) nextID(time.Time) ulid.ULID {
	u.ids++
	return ulid.ULID{0: 1, 15: u.ids}
}

// publish sends a new message under an identifier that is free. There are few,
// so that they are used again soon.
func (m *sim) publish(t *rapid.T) {
	u := &m.upstream
	id := uint16(rapid.IntRange(1, 3).Draw(t, "id"))
	taken := slices.ContainsFunc(u.sent, func(l letter) bool { return l.id == id })
	if m.client.cut || taken || u.last == 250 || !m.s.Wants() {
		return
	}
	u.last++
	l := letter{id: id, qos: byte(rapid.IntRange(1, 2).Draw(t, "qos")), number: u.last}
	u.sent = append(u.sent, l)
	m.sendLetter(l, false)
}

func (m *sim) sendLetter(l letter, dup bool) {
	if l.received {
		m.send(packet.Ack{Type: packet.PUBREL, Version: packet.V5, PacketID: l.id}.Append(nil))
		return
	}
	m.send(packet.Publish{
		Version: packet.V5, Topic: []byte("acme/up"), QoS: l.qos, PacketID: l.id, Dup: dup, Payload: []byte{l.number},
	}.Append(nil))
}

// publishAgain is what a client does first on a new connection.
func (m *sim) publishAgain() {
	for _, l := range slices.Clone(m.upstream.sent) {
		m.sendLetter(l, true)
	}
}

// acknowledged takes an acknowledgement of the client's publishes: its message
// must be in the log.
func (m *sim) acknowledged(f packet.Frame) bool {
	m.t.Helper()
	if f.Type != packet.PUBACK && f.Type != packet.PUBREC && f.Type != packet.PUBCOMP {
		return false
	}
	var p packet.Ack
	if err := p.Decode(f); err != nil || (p.Reason != packet.Success && (f.Type != packet.PUBCOMP || p.Reason != packet.PacketIdentifierNotFound)) {
		m.t.Fatalf("%s: %v %02x", f.Type, err, byte(p.Reason))
	}
	u := &m.upstream
	i := slices.IndexFunc(u.sent, func(l letter) bool { return l.id == p.PacketID })
	switch {
	case i < 0:
		m.t.Fatalf("%s of %d, which is free", f.Type, p.PacketID)
	case u.known[u.sent[i].number] == 0:
		m.t.Fatalf("%s of message %d, which the log does not have", f.Type, u.sent[i].number)
	case f.Type == packet.PUBREC:
		u.sent[i].received = true
		m.later(func() func() {
			return func() {
				m.send(packet.Ack{Type: packet.PUBREL, Version: packet.V5, PacketID: p.PacketID}.Append(nil))
			}
		})
	default:
		u.sent = slices.Delete(u.sent, i, i+1)
	}
	return true
}

// take lets the log have the oldest message that waits for it. It takes an ID
// once.
func (u *upstream) take(t failer) {
	t.Helper()
	o := u.orders[0]
	u.orders = u.orders[1:]
	u.given = append(u.given, o.id)
	id, number := o.message.ID, o.message.Payload[0]
	if o.message.QoS == 1 {
		id = ulid.ULID{0: 2, 14: byte(len(u.order) >> 8), 15: byte(len(u.order))} // the driver's
	}
	if old, ok := u.stored[id]; ok {
		if old != number {
			t.Fatalf("message %d has the ID of message %d", number, old)
		}
		return
	}
	if u.known[number]++; u.known[number] > 1 && o.message.QoS == 2 {
		t.Fatalf("QoS 2 message %d is twice in the log", number)
	}
	if u.known[number] == 1 && len(u.order) > 0 && slices.Max(u.order) > number {
		t.Fatalf("message %d comes after %v", number, u.order)
	}
	u.stored[id], u.order = number, append(u.order, number)
}

// append lets the log take the oldest publish of the client.
func (m *sim) appendUp() {
	if len(m.upstream.orders) > 0 {
		m.upstream.take(m.t)
	}
}

// answerUp tells the session of one of them.
func (m *sim) answerUp(t *rapid.T) {
	if n := len(m.upstream.given); n > 0 && rapid.Bool().Draw(t, "answer") {
		m.answered(rapid.IntRange(0, n-1).Draw(t, "which"))
	}
}

func (m *sim) answered(i int) {
	id := m.upstream.given[i]
	m.upstream.given = slices.Delete(m.upstream.given, i, i+1)
	m.s.Published(id, nil, m.now)
	m.watch()
}
