package torture_test

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// maxRecords bounds the sessions that are kept between connections.
const maxRecords = 256

// everything may be published and subscribed.
type everything struct{}

func (everything) MayPublish(string) bool   { return true }
func (everything) MaySubscribe(string) bool { return true }

// driver gives the session what an edge would: answers, messages and time.
type driver struct {
	mutator

	session  *session.Session
	limits   session.Limits
	now      time.Time
	head     uint64 // of the log
	ids      uint32 // given out
	records  map[string]*broker.Record
	reasons  map[string]int // how connections ended
	accepted int
	broken   error // output that is no sequence of packets
}

// newDriver always does the same for the same seed.
func newDriver(seed uint64) *driver {
	return &driver{
		mutator: mutator{Rand: rand.New(rand.NewPCG(seed, 1))}, limits: session.DefaultLimits(),
		now: time.Unix(1_700_000_000, 0), records: map[string]*broker.Record{}, reasons: map[string]int{},
	}
}

// open begins another connection.
func (d *driver) open() {
	d.session = session.New(&d.limits, d.now)
}

// feed gives bytes to the session as an edge does.
func (d *driver) feed(data []byte) {
	for len(data) > 0 && d.session.Wants() {
		f, n, err := packet.Split(data, d.limits.MaxPacket)
		if err != nil {
			d.session.Malformed(err, d.now)
			d.settle()
			return
		}
		if n == 0 {
			return // a client that stops in the middle of a packet
		}
		data = data[n:]
		d.session.Receive(f, d.now)
		d.settle()
	}
}

// settle answers what the session wants, and looks at what it says.
func (d *driver) settle() {
	for effects := d.session.Effects(); len(effects) > 0; effects = d.session.Effects() {
		for i := range effects {
			d.answer(&effects[i])
		}
	}
	for out := d.session.Output(); len(out) > 0; {
		_, n, err := packet.Split(out, 0)
		if err != nil || n == 0 {
			d.broken = errors.Join(errors.New("the output is no sequence of packets"), err)
			return
		}
		out = out[n:]
	}
}

// failure is now and then an error.
func (d *driver) failure() error {
	if d.IntN(20) == 0 {
		return broker.ErrOverloaded
	}
	return nil
}

func (d *driver) answer(e *session.Effect) {
	switch e.Kind {
	case session.Authenticate:
		d.admit(e.Connect)
	case session.Reauthenticate:
		d.session.Reauthenticated(everything{}, d.now.Add(time.Hour), d.failure(), d.now)
	case session.Claim:
		d.claim(e)
	case session.Persist:
		d.persist(e)
	case session.Publish:
		if e.Message.QoS > 0 {
			d.head++
			e.Message.Position.Seq = d.head
		}
		if e.PacketID != 0 {
			d.session.Published(e.PacketID, d.failure(), d.now)
		}
	case session.Subscribe:
		d.session.Subscribed(e.PacketID, d.head, d.failure(), d.now)
	case session.Read:
		d.session.Page(broker.Page{UpTo: d.head}, d.failure(), d.now)
	case session.Fetch:
		d.session.Fetched(e.Seqs, make([]*broker.Message, len(e.Seqs)), d.failure(), d.now)
	case session.Replay:
		d.session.Replayed(e.Cursor, nil, true, d.failure(), d.now)
	case session.Close:
		d.reasons[e.Reason.Name]++
		d.keep(e.Record)
	default: // an edge would have something to do, the session waits for nothing
	}
}

// admit lets most clients in, with the session that they left.
func (d *driver) admit(c *packet.Connect) {
	if d.IntN(10) == 0 {
		d.session.Refuse(session.ReasonBadCredentials, d.now)
		return
	}
	assigned := c.ClientID == ""
	if assigned {
		c.ClientID = "assigned"
	}
	key := broker.SessionKey("acme", "chat", "ana", c.ClientID)
	mount := ""
	if d.IntN(2) == 0 {
		mount = "acme/chat/"
	}
	d.accepted++
	d.session.Accept(session.Admission{
		Key: key, Node: "one", Mount: mount, Authorizer: everything{}, MaxExpiry: time.Hour, Lossless: d.IntN(2) == 0,
		Assigned: assigned, ResponseInfo: "acme/chat/answers",
		NextID: func(time.Time) ulid.ULID { d.ids++; return ulid.ULID{8: byte(d.ids >> 8), 9: byte(d.ids)} },
	}, d.now)
}

// claim hands over the session that the client left, most of the time.
func (d *driver) claim(e *session.Effect) {
	if err := d.failure(); err != nil {
		d.session.Claimed(nil, err, d.now)
		return
	}
	key := d.session.Key()
	record := d.records[key]
	delete(d.records, key) // it is the connection's now, until it closes
	if e.Clean {
		record = nil
	}
	d.session.Claimed(record, nil, d.now)
}

// persist is now and then somebody else's, so that the session has to go.
func (d *driver) persist(e *session.Effect) {
	err := d.failure()
	if err != nil && d.IntN(10) == 0 {
		err = broker.ErrConflict
	}
	if err == nil {
		d.keep(e.Record)
	}
	d.session.Persisted(e.Token, err, d.now)
}

func (d *driver) keep(r *broker.Record) {
	if key := d.session.Key(); r != nil && key != "" {
		if len(d.records) >= maxRecords {
			clear(d.records)
		}
		d.records[key] = r
	}
}

// disturb is what happens meanwhile: a message, time, a transport that has room
// again, the end of the connection.
func (d *driver) disturb() {
	d.now = d.now.Add(time.Duration(d.IntN(1000)) * time.Millisecond)
	switch d.IntN(6) {
	case 0, 1, 2:
		m := &broker.Message{Topic: "acme/a", Payload: []byte("hi"), QoS: byte(d.IntN(3)), Retain: d.IntN(2) == 0, Node: "one"}
		if m.QoS > 0 {
			d.head++
			m.Position.Seq = d.head
		}
		d.session.Deliver(m, &session.Encodings{}, d.IntN(4) == 0, d.now)
	case 3:
		d.session.Drained(d.now)
	case 4:
		d.session.Tick(d.now)
	case 5:
		if d.IntN(4) == 0 {
			d.session.Takeover(d.now)
		}
	}
	d.settle()
}
