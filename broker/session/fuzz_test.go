package session_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// FuzzReceive feeds arbitrary bytes, before or after a CONNECT, to a session
// whose driver answers at once. It must not panic, must put out whole packets,
// and must give back what it took.
func FuzzReceive(f *testing.F) {
	connect := packet.Connect{ClientID: "c", Clean: true, Will: &packet.Will{Topic: "acme/will"}}.Append(nil)
	f.Add(false, connect)
	f.Add(true, packet.Pingreq{}.Append(packet.Publish{Topic: []byte("acme/a"), QoS: 1, PacketID: 1}.Append(nil)))
	f.Add(true, packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: "acme/#", QoS: 2}}}.Append(nil))
	f.Add(true, packet.Unsubscribe{PacketID: 1, Filters: []string{"acme/#"}}.Append(nil))
	f.Add(true, packet.Ack{Type: packet.PUBACK, PacketID: 1}.Append(nil))
	f.Add(true, packet.Disconnect{}.Append(nil))
	f.Fuzz(func(t *testing.T, greeted bool, data []byte) {
		s := session.New(session.DefaultLimits(), epoch)
		d := &driver{t: t, s: s, entered: map[string]bool{}}
		if greeted {
			d.feed(connect)
		}
		d.feed(data)
		s.Lost(epoch)
		d.follow()
		if !d.closed || len(d.entered) > 0 {
			t.Fatalf("closed %v, still entered under %v", d.closed, d.entered)
		}
	})
}

// driver answers a session's effects at once, and sends it a message now and
// then.
type driver struct {
	t       *testing.T
	s       *session.Session
	entered map[string]bool
	closed  bool
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
		d.s.Deliver(&broker.Message{Topic: "acme/a", QoS: 1}, new(session.Encodings), n%2 == 0, epoch)
		d.follow()
		b = b[n:]
	}
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
			showPacket(d.t, f)
			out = out[n:]
		}
		if len(effects) == 0 {
			return
		}
		if d.closed {
			d.t.Fatalf("effects after Close: %v", effects)
		}
		for _, e := range effects {
			d.carryOut(e)
		}
	}
}

func (d *driver) carryOut(e session.Effect) {
	switch e.Kind {
	case session.Authenticate:
		if e.Connect.ClientID == "" {
			e.Connect.ClientID = "made-up"
		}
		d.s.Accept(session.Admission{Key: "acme/chat/ana/" + e.Connect.ClientID, Authorizer: grants{allow: []string{"acme/#"}}}, epoch)
	case session.Publish:
		if e.PacketID != 0 {
			d.s.Published(e.PacketID, nil, epoch)
		}
	case session.Subscribe:
		for _, f := range e.Filters {
			d.entered[f] = true
		}
		d.s.Subscribed(e.PacketID, nil, epoch)
	case session.Unsubscribe:
		for _, f := range e.Filters {
			if !d.entered[f] {
				d.t.Fatalf("not entered under %q", f)
			}
			delete(d.entered, f)
		}
	case session.Close:
		d.closed = true
	default:
	}
}
