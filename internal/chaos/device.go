package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

const (
	dialPatience = 2 * time.Second
	// connackPatience is longer than a takeover and an election take.
	connackPatience = 15 * time.Second
	// silence is how long a connection may say nothing before it is given up: a
	// killed node's sockets close at once, a hung one's do not.
	silence   = 30 * time.Second
	keepAlive = 10 // seconds
	// reconnectMin and reconnectMax lie between attempts.
	reconnectMin = 50 * time.Millisecond
	reconnectMax = 500 * time.Millisecond
	// expiry of the sessions of 5.0 devices, in seconds.
	expiry = 3600
)

// device is a well-behaved MQTT client with a persistent session, which
// connects again to any node for as long as it runs. What MQTT calls the
// client's session state is kept over its connections.
type device struct {
	id      string
	version packet.Version
	world   *world
	random  *rand.Rand // of the connecting goroutine alone
	filter  string     // to subscribe to; empty: none
	heard   func(topic string, payload []byte, qos byte)

	mu         sync.Mutex // guards what follows, and writes
	conn       net.Conn
	subscribed bool
	waiting    map[uint16]struct{} // QoS 2 messages that wait for PUBREL
	outgoing   []outgoing          // not completed, oldest first
	nextID     uint16
	room       chan struct{} // holds a token for each publish that may be open
	ready      chan struct{} // closed after the first SUBACK, or CONNACK without a filter
	connects   int
}

// outgoing is a publish of the device that is not completed.
type outgoing struct {
	id       uint16
	qos      byte
	received bool // QoS 2: PUBREC came
	topic    string
	payload  []byte
}

func newDevice(w *world, id string, version packet.Version, seed uint64) *device {
	return &device{
		id: id, version: version, world: w, random: rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // to be repeated
		waiting: make(map[uint16]struct{}), room: make(chan struct{}, window), ready: make(chan struct{}),
	}
}

// window is how many publishes of a device may be open.
const window = 16

// run connects and connects again until ctx ends.
func (d *device) run(ctx context.Context) {
	for ctx.Err() == nil {
		_ = d.live(ctx) // whatever ended it, the device comes back
		pause := reconnectMin + time.Duration(d.random.Int64N(int64(reconnectMax-reconnectMin)))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// live is one connection.
func (d *device) live(ctx context.Context) error {
	dialer := net.Dialer{Timeout: dialPatience}
	conn, err := dialer.DialContext(ctx, "tcp", d.world.nodes[d.random.IntN(len(d.world.nodes))])
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close() //nolint:errcheck // it is over
	in := &stream{r: bufio.NewReaderSize(conn, 4<<10), version: d.version}
	if err := d.connect(conn, in); err != nil {
		return err
	}
	defer d.left()
	for {
		if err := conn.SetReadDeadline(time.Now().Add(keepAlive * time.Second / 2)); err != nil {
			return err
		}
		f, err := in.next()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && time.Since(in.last) < silence {
			err = d.send(packet.Pingreq{}.Append(nil))
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if err := d.receive(f); err != nil {
			return err
		}
	}
}

// connect takes the session up again, or begins it.
func (d *device) connect(conn net.Conn, in *stream) error {
	p := packet.Connect{
		Version: d.version, ClientID: d.id, KeepAlive: keepAlive,
		HasUsername: true, Username: d.world.username, HasPassword: true, Password: []byte(d.world.token),
	}
	if d.version == packet.V5 {
		p.Properties.SessionExpiry = expiry
	}
	if err := conn.SetDeadline(time.Now().Add(connackPatience)); err != nil {
		return err
	}
	if _, err := conn.Write(p.Append(nil)); err != nil {
		return err
	}
	f, err := in.next()
	if err != nil {
		return err
	}
	var ack packet.Connack
	if err := ack.Decode(f); err != nil {
		return err
	}
	if ack.Code != packet.Accepted || ack.Reason != packet.Success {
		return fmt.Errorf("refused: %v %v", ack.Code, ack.Reason)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	return d.entered(conn, ack.SessionPresent)
}

// entered subscribes if that was not done, and sends again what was on its way.
// [MQTT-4.4.0-1].
func (d *device) entered(conn net.Conn, present bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = conn
	d.connects++
	if d.subscribed && !present {
		d.world.problem("%s: its session is gone", d.id)
		d.subscribed = false
	}
	switch {
	case d.filter == "":
		d.openGate()
	case !d.subscribed:
		sub := packet.Subscribe{Version: d.version, PacketID: 0xffff, Subscriptions: []packet.Subscription{{Filter: d.filter, QoS: 2}}}
		if err := d.write(sub.Append(nil)); err != nil {
			return err
		}
	}
	for i := range d.outgoing {
		if err := d.write(d.outgoing[i].encode(d.version, true)); err != nil {
			return err
		}
	}
	return nil
}

// openGate says that the device may be counted on.
func (d *device) openGate() {
	select {
	case <-d.ready:
	default:
		close(d.ready)
	}
}

func (d *device) left() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = nil
}

// encode is the packet that brings the exchange on.
func (o *outgoing) encode(version packet.Version, again bool) []byte {
	if o.received {
		return packet.Ack{Type: packet.PUBREL, Version: version, PacketID: o.id}.Append(nil)
	}
	return packet.Publish{
		Version: version, Dup: again, QoS: o.qos, PacketID: o.id, Topic: []byte(o.topic), Payload: o.payload,
	}.Append(nil)
}

// send writes a packet to the present connection.
func (d *device) send(data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.write(data)
}

// write needs mu. Without a connection it does nothing: what matters is sent
// again.
func (d *device) write(data []byte) error {
	if d.conn == nil {
		return nil
	}
	if err := d.conn.SetWriteDeadline(time.Now().Add(connackPatience)); err != nil {
		return err
	}
	_, err := d.conn.Write(data)
	return err
}

// publish begins one, when there is room for it; done devices publish nothing.
func (d *device) publish(ctx context.Context, topic string, payload []byte, qos byte) error {
	select {
	case d.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nextID = d.nextID%0xfff0 + 1 // far more than the window, and never 0
	o := outgoing{id: d.nextID, qos: qos, topic: topic, payload: payload}
	d.outgoing = append(d.outgoing, o)
	_ = d.write(o.encode(d.version, false)) // a broken connection is noticed by its reader
	return nil
}

// idle reports whether all publishes are completed.
func (d *device) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.outgoing) == 0
}
