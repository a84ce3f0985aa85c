package session_test

import (
	"slices"
	"time"

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
// driver that takes its time, a store of records, and a client. It knows which
// messages are owed, and watches what becomes of them over many connections and
// crashes of the node.
type sim struct {
	t        failer
	now      time.Time
	lossless bool
	// overtaken says that a message has passed others of other topics: from then
	// on the order of each topic alone is held.
	overtaken bool

	s         *session.Session
	storeDown bool
	record    *broker.Record // as the store has it
	live      []*broker.Message
	arrived   map[uint64]bool // from there, on this connection
	heard     uint64          // the newest that the session has heard of on this connection
	tasks     []task          // effects that wait for their answer
	entered   map[string]bool // filters, as the effects tell it

	log  map[uint64]*broker.Message
	head uint64
	lag  uint64              // how much of it the replica that answers does not have
	owed map[uint64][]string // not with the client yet, by the filters it is owed to
	done map[uint64]bool     // the session was told that the client has it
	kept map[uint64]bool     // and so was the store
	last map[string]uint64   // the newest message of a topic

	upstream upstream

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
		log: map[uint64]*broker.Message{}, owed: map[uint64][]string{}, done: map[uint64]bool{}, kept: map[uint64]bool{},
		last: map[string]uint64{}, upstream: newUpstream(), client: newClient(),
	}
	m.connect(receive)
	return m
}

// connect opens a connection to the session, with the record of the last one.
func (m *sim) connect(receive int) {
	l := session.DefaultLimits()
	l.MaxAcked = 4
	m.s, m.live, m.tasks, m.entered, m.heard = session.New(&l, m.now), nil, nil, map[string]bool{}, 0
	m.arrived = map[uint64]bool{}
	m.client.reconnect(receive)
	m.upstream.orders, m.upstream.given = nil, nil
	m.send(packet.Connect{
		Version: packet.V5, ClientID: "c", Properties: packet.ConnectProperties{SessionExpiry: 1000, ReceiveMaximum: uint16(receive)},
	}.Append(nil))
	record := m.record
	m.s.Accept(session.Admission{
		Key: "acme/chat/ana/c", Authorizer: grants{allow: []string{"acme/#"}}, MaxExpiry: time.Hour,
		Lossless: m.lossless, NextID: m.upstream.nextID,
	}, m.now)
	if m.record == nil {
		m.record = &broker.Record{} // a claim leaves at least that
	}
	m.s.Claimed(record, nil, m.now)
	m.watch()
	m.publishAgain()
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
	if m.client.cut || m.acknowledged(f) {
		return
	}
	seq, again := m.client.receive(m.t, f, m.lossless && !m.overtaken)
	if seq == 0 {
		return
	}
	if msg := m.log[seq]; msg != nil {
		m.client.inOrder(m.t, msg.Topic, seq, again)
	}
	if msg := m.log[seq]; msg != nil && !again && !m.arrived[seq] && !m.client.mayHave(msg.Topic, seq) {
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
		m.write(e)
	case session.Publish:
		m.upstream.orders = append(m.upstream.orders, order{id: e.PacketID, message: e.Message})
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
		if msg != nil && !m.lossless && int64(msg.ID.Time()) < q.Since.UnixMilli() {
			continue // in an hour that the question does not name
		}
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
	if !m.lossless {
		msg.Previous = m.last[name]
	}
	m.last[name] = m.head
	if err := msg.ID.SetTime(uint64(m.now.UnixMilli())); err != nil {
		m.t.Fatalf("time: %v", err)
	}
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
	m.arrived[msg.Position.Seq], m.heard = true, max(m.heard, msg.Position.Seq)
	m.s.Deliver(msg, new(session.Encodings), congested, m.now)
	m.watch()
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
