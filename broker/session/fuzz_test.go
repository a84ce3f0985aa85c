package session_test

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// FuzzReceive feeds arbitrary bytes, before or after a CONNECT, to a session
// whose driver answers at once, and once more to the session that resumes it.
// It must not panic, must put out whole packets, and must give back what it
// took.
func FuzzReceive(f *testing.F) {
	greetings := [][]byte{
		nil, greeting(packet.V31), greeting(packet.V311), greeting(packet.V5),
		packet.Connect{
			Version: packet.V5, ClientID: "c", Properties: packet.ConnectProperties{
				SessionExpiry: 60, HasAuthMethod: true, AuthMethod: "JWT", TopicAliasMaximum: 3, ReceiveMaximum: 2, MaximumPacketSize: 60,
			},
		}.Append(nil),
	}
	for i, g := range greetings {
		v := packet.Version(min(i+2, 5))
		how := byte(i)
		f.Add(how, g)
		f.Add(how, packet.Pingreq{}.Append(packet.Publish{Version: v, Topic: []byte("acme/a"), QoS: 1, PacketID: 1}.Append(nil)))
		f.Add(how, packet.Ack{Type: packet.PUBREL, PacketID: 1}.Append(packet.Publish{Version: v, Topic: []byte("acme/a"), QoS: 2, PacketID: 1}.Append(nil)))
		f.Add(how, packet.Subscribe{Version: v, PacketID: 1, Subscriptions: []packet.Subscription{
			{Filter: "acme/#", QoS: 2}, {Filter: "$share/g/acme/a", QoS: 1}, {Filter: "$local/acme/b"},
		}}.Append(nil))
		f.Add(how, packet.Unsubscribe{Version: v, PacketID: 1, Filters: []string{"acme/#"}}.Append(nil))
		f.Add(how, packet.Ack{Type: packet.PUBCOMP, PacketID: 1}.Append(packet.Ack{Type: packet.PUBREC, PacketID: 1}.Append(nil)))
		f.Add(how, packet.Ack{Type: packet.PUBACK, PacketID: 1}.Append(nil))
		f.Add(how, packet.Disconnect{Version: v, Reason: packet.DisconnectWithWill}.Append(nil))
		f.Add(how, packet.Auth{Reason: packet.Reauthenticate, Properties: packet.AuthProperties{AuthMethod: "JWT", AuthData: []byte("t")}}.Append(nil))
	}
	f.Fuzz(func(t *testing.T, how byte, data []byte) {
		greet := greetings[int(how)%len(greetings)]
		record := run(t, nil, greet, data)
		if record != nil {
			run(t, record, greet, data)
		}
		if !session.NobodyWroteToNone() {
			t.Fatal("sessions have written to what they share")
		}
	})
}

// greeting is a CONNECT of a session that is to be kept.
func greeting(v packet.Version) []byte {
	return packet.Connect{
		Version: v, ClientID: "c", Will: &packet.Will{Topic: "acme/will"}, Properties: packet.ConnectProperties{SessionExpiry: 60},
	}.Append(nil)
}

// run plays one connection and returns what it leaves.
func run(t *testing.T, record *broker.Record, greet, data []byte) *broker.Record {
	t.Helper()
	d := &driver{t: t, s: session.New(&standard, epoch), record: record, entered: map[string]bool{}, loans: map[loan]bool{}}
	d.feed(greet)
	d.feed(data)
	d.s.Lost(epoch)
	d.follow()
	if !d.closed || len(d.entered) > 0 {
		t.Fatalf("closed %v, still entered under %v", d.closed, d.entered)
	}
	for l, taken := range d.loans {
		if !taken {
			t.Fatalf("the group never heard of message %d again", l)
		}
	}
	return d.left
}

// driver answers a session's effects at once, and sends it messages now and
// then.
type driver struct {
	t       *testing.T
	s       *session.Session
	record  *broker.Record // of an earlier connection
	left    *broker.Record // by this one
	entered map[string]bool
	loans   map[loan]bool // those that the session has; true: taken for good
	closed  bool
	head    uint64
}

func (d *driver) feed(b []byte) {
	for len(b) > 0 && d.s.Wants() {
		f, n, err := packet.Split(b, 1<<16)
		if err != nil {
			d.s.Malformed(err, epoch)
			d.follow()
			return
		}
		if n == 0 {
			return
		}
		d.s.Receive(f, epoch)
		d.follow()
		d.head++
		m := d.message(d.head)
		d.s.Deliver(m, new(session.Encodings), n%5 == 0, epoch)
		d.follow()
		d.loans[loan(d.head)] = false
		if !d.s.DeliverShared("$share/g/acme/a", m, loan(d.head), n%7 == 0, epoch) {
			delete(d.loans, loan(d.head))
		}
		d.follow()
		d.s.Drained(epoch)
		d.follow()
		b = b[n:]
	}
}

// message is the one at a place in the log.
func (d *driver) message(seq uint64) *broker.Message {
	return &broker.Message{Topic: "acme/a", QoS: byte(seq%2) + 1, Retain: seq%3 == 0, Position: broker.Position{Seq: seq}}
}

// follow carries out effects until there are none.
func (d *driver) follow() {
	for {
		effects := d.s.Effects()
		for out := d.s.Output(); len(out) > 0; {
			f, n, err := packet.Split(out, 0)
			if err != nil || n == 0 {
				d.t.Fatalf("output is not a packet: %x", out)
			}
			f.Version = d.s.Version()
			showPacket(d.t, f)
			out = out[n:]
		}
		if len(effects) == 0 {
			return
		}
		if d.closed {
			d.t.Fatalf("effects after Close: %v", effects)
		}
		for i := range effects {
			d.carryOut(&effects[i])
		}
	}
}

// settle does what a session wants done with a loan, which it must have.
func (d *driver) settle(e *session.Effect) {
	l, ok := e.Loan.(loan)
	taken, held := d.loans[l]
	switch {
	case !ok || !held || (taken && e.Kind != session.Return):
		d.t.Fatalf("%s of message %v: had %v, taken %v", e.Kind, e.Loan, held, taken)
	case e.Kind == session.Take:
		d.loans[l] = true
		d.s.Taken(l, epoch)
	default:
		delete(d.loans, l)
	}
}

func (d *driver) carryOut(e *session.Effect) {
	switch e.Kind {
	case session.Authenticate:
		if e.Connect.ClientID == "" {
			e.Connect.ClientID = "made-up"
		}
		d.s.Accept(session.Admission{
			Key: "acme/chat/ana/" + e.Connect.ClientID, Authorizer: grants{allow: []string{"acme/#"}}, MaxExpiry: 1 << 40,
			NextID: func(time.Time) ulid.ULID { d.head++; return ulid.ULID{15: byte(d.head)} },
		}, epoch)
	case session.Claim:
		if e.Clean {
			d.record = nil
		}
		d.s.Claimed(d.record, nil, epoch)
	case session.Persist:
		d.s.Persisted(e.Token, nil, epoch)
	case session.Take, session.Done, session.Return:
		d.settle(e)
	case session.Reauthenticate:
		d.s.Reauthenticated(grants{allow: []string{"acme/a"}}, epoch, nil, epoch)
	case session.Publish:
		if e.PacketID != 0 {
			d.s.Published(e.PacketID, nil, epoch)
		}
	case session.Subscribe:
		for _, f := range e.Filters {
			d.entered[f] = true
		}
		d.s.Subscribed(e.PacketID, d.head, nil, epoch)
	case session.Unsubscribe:
		for _, f := range e.Filters {
			if !d.entered[f] {
				d.t.Fatalf("not entered under %q", f)
			}
			delete(d.entered, f)
		}
	case session.Close:
		d.closed, d.left = true, e.Record
	default:
		d.read(e)
	}
}

// read answers what asks for messages.
func (d *driver) read(e *session.Effect) {
	switch e.Kind {
	case session.Read:
		p := broker.Page{UpTo: d.head}
		for seq := e.Query.After + 1; seq <= d.head; seq++ {
			p.Messages = append(p.Messages, d.message(seq))
		}
		d.s.Page(p, nil, epoch)
	case session.Fetch:
		messages := make([]*broker.Message, len(e.Seqs))
		for i, seq := range e.Seqs {
			if seq%4 != 0 { // the others are gone
				messages[i] = d.message(seq)
			}
		}
		d.s.Fetched(e.Seqs, messages, nil, epoch)
	case session.Replay:
		d.s.Replayed(e.Cursor, []*broker.Message{d.message(1), d.message(2)}, true, nil, epoch)
	default:
	}
}
