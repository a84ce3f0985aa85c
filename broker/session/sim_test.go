package session_test

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// failer is what models need of a test.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// sim is a durable session from end to end: a log, the live path to a node, a
// driver that takes its time, and a client. It knows which messages are owed,
// and watches what becomes of them over many connections.
type sim struct {
	t        failer
	now      time.Time
	lossless bool

	s        *session.Session
	record   *broker.Record // of the last connection
	live     []*broker.Message
	arriving uint64          // from there at the moment
	heard    uint64          // the newest that the session has heard of on this connection
	tasks    []task          // effects that wait for their answer
	entered  map[string]bool // filters, as the effects tell it

	log  map[uint64]*broker.Message
	head uint64
	lag  uint64              // how much of it the replica that answers does not have
	owed map[uint64][]string // not with the client yet, by the filters it is owed to
	done map[uint64]bool     // the session was told that the client has it

	client client
}

// task is an answer in the making: it is prepared from what is there, and given
// later.
type task struct {
	prepare func() func()
	give    func()
}

func newSim(t failer, lossless bool, receive int) *sim {
	m := &sim{
		t: t, now: epoch, lossless: lossless,
		log: map[uint64]*broker.Message{}, owed: map[uint64][]string{}, done: map[uint64]bool{},
		client: newClient(),
	}
	m.connect(receive)
	return m
}

// connect opens a connection to the session, with the record of the last one.
func (m *sim) connect(receive int) {
	l := session.DefaultLimits()
	l.MaxAcked = 4
	m.s, m.live, m.tasks, m.entered, m.heard = session.New(&l, m.now), nil, nil, map[string]bool{}, 0
	m.client.reconnect(receive)
	m.send(packet.Connect{
		Version: packet.V5, ClientID: "c", Properties: packet.ConnectProperties{SessionExpiry: 1000, ReceiveMaximum: uint16(receive)},
	}.Append(nil))
	record := m.record
	m.s.Accept(session.Admission{
		Key: "acme/chat/ana/c", Authorizer: grants{allow: []string{"acme/#"}}, MaxExpiry: time.Hour,
		Lossless: m.lossless, NextID: func(now time.Time) ulid.ULID { return ulid.ULID{} },
	}, m.now)
	m.s.Claimed(record, nil, m.now)
	m.watch()
}

// send feeds the session with a packet of the client.
func (m *sim) send(b []byte) {
	m.t.Helper()
	if m.client.cut {
		return
	}
	f, n, err := packet.Split(b, 0)
	if err != nil || n != len(b) {
		m.t.Fatalf("not a packet: %x", b)
	}
	m.s.Receive(f, m.now)
	m.watch()
}

// watch drains the session.
func (m *sim) watch() {
	m.t.Helper()
	for {
		effects := m.s.Effects()
		for out := m.s.Output(); len(out) > 0; {
			f, n, err := packet.Split(out, 0)
			if err != nil || n == 0 {
				m.t.Fatalf("output is not a packet: %x", out)
			}
			f.Version = packet.V5
			m.sent(f)
			out = out[n:]
		}
		if len(effects) == 0 {
			return
		}
		for i := range effects {
			m.effect(&effects[i])
		}
	}
}

// sent passes a packet of the session on to the client.
func (m *sim) sent(f packet.Frame) {
	m.t.Helper()
	if m.client.closed {
		m.t.Fatalf("%s after Close", f.Type)
	}
	if m.client.cut {
		return
	}
	seq, again := m.client.receive(m.t, f, m.lossless)
	if seq == 0 {
		return
	}
	if msg := m.log[seq]; msg != nil && !again && seq != m.arriving && !m.client.mayHave(msg.Topic, seq) {
		m.t.Fatalf("message %d is older than any subscription of %v", seq, m.client.since)
	}
	if m.done[seq] {
		m.t.Fatalf("message %d was sent, and the client has acknowledged it", seq)
	}
	delete(m.owed, seq)
}

func (m *sim) effect(e *session.Effect) {
	m.t.Helper()
	s, now := m.s, &m.now
	switch e.Kind {
	case session.Subscribe:
		id := e.PacketID
		for _, filter := range e.Filters {
			if m.entered[filter] {
				m.t.Fatalf("entered twice under %s", filter)
			}
			m.entered[filter] = true
		}
		m.later(func() func() {
			head := m.head
			return func() { m.heard = max(m.heard, head); s.Subscribed(id, head, nil, *now) }
		})
	case session.Unsubscribe:
		for _, filter := range e.Filters {
			if !m.entered[filter] {
				m.t.Fatalf("not entered under %s", filter)
			}
			delete(m.entered, filter)
		}
	case session.Read:
		q := e.Query
		m.later(func() func() {
			p := m.read(q)
			return func() { s.Page(p, nil, *now) }
		})
	case session.Fetch:
		seqs := e.Seqs
		m.later(func() func() {
			messages := make([]*broker.Message, len(seqs))
			for i, seq := range seqs {
				messages[i] = m.log[seq]
			}
			return func() { s.Fetched(seqs, messages, nil, *now) }
		})
	case session.Replay:
		s.Replayed(e.Cursor, nil, true, nil, m.now)
	case session.Persist:
		s.Persisted(e.Token, nil, m.now)
	case session.Close:
		m.ended(e)
	default:
	}
}

func (m *sim) later(prepare func() func()) { m.tasks = append(m.tasks, task{prepare: prepare}) }

// work gets on with one task.
func (m *sim) work(i int) {
	t := &m.tasks[i]
	if t.give == nil {
		t.give = t.prepare()
		return
	}
	give := t.give
	m.tasks = slices.Delete(m.tasks, i, i+1)
	give()
	m.watch()
}

// read is what the log answers, a few messages at a time.
func (m *sim) read(q broker.Query) broker.Page {
	head := m.head - min(m.lag, m.head)
	p := broker.Page{UpTo: head}
	for seq := q.After + 1; seq <= head; seq++ {
		msg := m.log[seq]
		if msg == nil || !slices.ContainsFunc(q.Filters, func(f string) bool { return topic.Match(f, msg.Topic) }) {
			continue
		}
		if len(p.Messages) == 3 {
			return broker.Page{Messages: p.Messages, More: true}
		}
		p.Messages = append(p.Messages, msg)
	}
	return p
}

// append puts a message into the log and on the live path.
func (m *sim) append(name string, qos byte) {
	m.head++
	msg := &broker.Message{Topic: name, QoS: qos, Payload: []byte{byte(m.head >> 8), byte(m.head)}, Position: broker.Position{Seq: m.head}}
	m.log[m.head] = msg
	if filters := m.client.wants(name); len(filters) > 0 {
		m.owed[m.head] = filters
	}
	for filter := range m.entered {
		if topic.Match(filter, name) {
			m.live = append(m.live, msg)
			return
		}
	}
}

// deliver takes message i from the live path.
func (m *sim) deliver(i int, congested bool) {
	msg := m.live[i]
	m.live = slices.Delete(m.live, i, i+1)
	m.arriving, m.heard = msg.Position.Seq, max(m.heard, msg.Position.Seq)
	m.s.Deliver(msg, new(session.Encodings), congested, m.now)
	m.watch()
	m.arriving = 0
}

// forget drops what is not owed any more: what the log has no more, and what
// was owed to a filter that is gone.
func (m *sim) forget() {
	for seq, filters := range m.owed {
		filters = slices.DeleteFunc(filters, func(f string) bool { return m.client.filters[f] == 0 })
		if m.owed[seq] = filters; len(filters) == 0 || m.log[seq] == nil {
			delete(m.owed, seq)
		}
	}
}

// ended holds the record against what the client has.
func (m *sim) ended(e *session.Effect) {
	m.t.Helper()
	r := e.Record
	if r == nil || m.client.closed {
		m.t.Fatalf("closed by %s: %s, record %v", e.Reason.Name, e.Reason.Text, r)
	}
	if len(m.entered) > 0 {
		m.t.Fatalf("closed, and still entered under %v", m.entered)
	}
	if m.record != nil && r.Floor < m.record.Floor {
		m.t.Fatalf("the floor fell from %d to %d", m.record.Floor, r.Floor)
	}
	if !slices.IsSorted(r.Acked) {
		m.t.Fatalf("not rising: %v", r.Acked)
	}
	inflight := map[uint64]bool{}
	for _, f := range r.Inflight {
		if inflight[f.Seq] = true; !f.Released && f.Seq <= r.Floor {
			m.t.Fatalf("message %d is on its way, with the floor at %d", f.Seq, r.Floor)
		}
	}
	for seq := range m.owed {
		if inflight[seq] {
			continue // sent, but not before the connection ended
		}
		if seq <= r.Floor || slices.Contains(r.Acked, seq) {
			m.t.Fatalf("message %d is owed, with the floor at %d and %v", seq, r.Floor, r.Acked)
		}
	}
	for seq := range m.client.unacknowledged() {
		if !inflight[seq] && m.log[seq] != nil {
			m.t.Fatalf("message %d is not acknowledged and not on its way", seq)
		}
	}
	m.client.closed, m.record = true, r
}
