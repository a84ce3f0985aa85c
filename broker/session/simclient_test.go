package session_test

import (
	"maps"
	"slices"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// client is the other side of sim: one that keeps its session, too.
type client struct {
	receiveMaximum int
	closed         bool // the server has ended the session
	cut            bool // nothing arrives any more, neither here nor there

	asked   map[string]uint16 // the newest SUBSCRIBE of a filter
	filters map[string]byte   // as its SUBACK says
	pending map[uint16]string // SUBSCRIBEs without SUBACK
	since   map[string]uint64 // the head of the log at the first SUBSCRIBE, or the one above QoS 0
	unsure  map[string]bool   // whether the server has granted what was asked for last
	lastID  uint16

	window map[uint16]inflight // PUBLISH came, and is not completed
	held   map[uint16]uint64   // QoS 2 messages without PUBREL, for life
	times  map[uint64]int      // how often a QoS 2 message was taken
	newest uint64              // of the first attempts on this connection
	topics map[string]uint64   // the same for each topic
	stale  map[string]bool     // an UNSUBSCRIBE had no UNSUBACK when the node crashed
	going  map[uint16]string   // UNSUBSCRIBEs without UNSUBACK
}

// inflight is a message of the server on its way.
type inflight struct {
	seq      uint64
	qos      byte
	recorded bool // PUBREC was sent
	released bool // PUBREL came
}

func newClient() client {
	return client{held: map[uint16]uint64{}, times: map[uint64]int{}, filters: map[string]byte{}, since: map[string]uint64{}, unsure: map[string]bool{}, stale: map[string]bool{}}
}

func (c *client) reconnect(receiveMaximum int) {
	c.receiveMaximum, c.closed, c.cut, c.newest = receiveMaximum, false, false, 0
	c.topics, c.going = map[string]uint64{}, map[uint16]string{}
	c.window, c.asked, c.pending = map[uint16]inflight{}, map[string]uint16{}, map[uint16]string{}
}

// wants lists the filters that messages to a topic are owed to if they are
// appended now.
func (c *client) wants(name string) []string {
	var filters []string
	for filter, qos := range c.filters {
		if qos > 0 && topic.Match(filter, name) {
			filters = append(filters, filter)
		}
	}
	return filters
}

// mayHave reports whether a message is newer than some subscription it matches.
func (c *client) mayHave(name string, seq uint64) bool {
	for filter, since := range c.since {
		if seq > since && topic.Match(filter, name) {
			return true
		}
	}
	ending := slices.AppendSeq(slices.Collect(maps.Keys(c.stale)), maps.Values(c.going))
	return slices.ContainsFunc(ending, func(filter string) bool { return topic.Match(filter, name) })
}

// crashed: what the node was asked for, and did not acknowledge, it may have
// done or not.
func (c *client) crashed() {
	for _, filter := range c.going {
		c.stale[filter] = true
	}
}

// inOrder holds the messages of a topic to their order.
func (c *client) inOrder(t failer, name string, seq uint64, again bool) {
	t.Helper()
	if again {
		return
	}
	if seq <= c.topics[name] {
		t.Fatalf("message %d came after %d of the same topic", seq, c.topics[name])
	}
	c.topics[name] = seq
}

// subscribe makes a SUBSCRIBE. A lower QoS counts from now on.
func (c *client) subscribe(filter string, qos byte, head, heard uint64) []byte {
	c.lastID++
	granted, known := c.filters[filter]
	if since, ok := c.since[filter]; !ok {
		c.since[filter] = head
	} else if known && granted == 0 && !c.unsure[filter] {
		c.since[filter] = max(since, heard)
	}
	c.unsure[filter] = true
	c.asked[filter], c.pending[c.lastID] = c.lastID, filter
	if old, ok := c.filters[filter]; ok {
		c.filters[filter] = min(old, qos)
	}
	return packet.Subscribe{
		Version: packet.V5, PacketID: c.lastID, Subscriptions: []packet.Subscription{{Filter: filter, QoS: qos}},
	}.Append(nil)
}

func (c *client) unsubscribe(filter string) []byte {
	c.lastID++
	delete(c.asked, filter)
	delete(c.filters, filter)
	delete(c.since, filter)
	delete(c.unsure, filter)
	c.going[c.lastID] = filter
	return packet.Unsubscribe{Version: packet.V5, PacketID: c.lastID, Filters: []string{filter}}.Append(nil)
}

// receive takes a packet; of a PUBLISH with QoS 1 or 2 it returns the sequence,
// and whether it was sent before.
func (c *client) receive(t failer, f packet.Frame, ordered bool) (seq uint64, again bool) {
	t.Helper()
	switch f.Type {
	case packet.SUBACK:
		var p packet.Suback
		if err := p.Decode(f); err != nil {
			t.Fatalf("SUBACK: %v", err)
		}
		filter := c.pending[p.PacketID]
		delete(c.pending, p.PacketID)
		if c.asked[filter] == p.PacketID {
			c.filters[filter] = p.Codes[0]
			delete(c.unsure, filter)
		}
	case packet.UNSUBACK:
		var p packet.Unsuback
		if err := p.Decode(f); err != nil {
			t.Fatalf("UNSUBACK: %v", err)
		}
		delete(c.stale, c.going[p.PacketID])
		delete(c.going, p.PacketID)
	case packet.PUBLISH:
		var p packet.Publish
		if err := p.Decode(f); err != nil {
			t.Fatalf("PUBLISH: %v", err)
		}
		if p.QoS > 0 {
			return c.publish(t, &p, ordered), p.Dup
		}
	case packet.PUBREL:
		var p packet.Ack
		if err := p.Decode(f); err != nil {
			t.Fatalf("PUBREL: %v", err)
		}
		delete(c.held, p.PacketID)
		c.window[p.PacketID] = inflight{qos: 2, recorded: true, released: true}
	default:
	}
	return 0, false
}

func (c *client) publish(t failer, p *packet.Publish, ordered bool) uint64 {
	t.Helper()
	seq := uint64(p.Payload[0])<<8 | uint64(p.Payload[1])
	if e, ok := c.window[p.PacketID]; ok {
		t.Fatalf("packet identifier %d of message %d is in use by %+v", p.PacketID, seq, e)
	}
	c.window[p.PacketID] = inflight{seq: seq, qos: p.QoS}
	if len(c.window) > c.receiveMaximum {
		t.Fatalf("%d messages at once, at most %d", len(c.window), c.receiveMaximum)
	}
	if ordered && seq <= c.newest {
		t.Fatalf("message %d came after %d", seq, c.newest)
	}
	if !p.Dup {
		c.newest = seq
	}
	if p.QoS == 2 {
		if held, ok := c.held[p.PacketID]; ok && held != seq {
			t.Fatalf("packet identifier %d of message %d stands for %d", p.PacketID, seq, held)
		} else if !ok {
			c.times[seq]++
		}
		if c.times[seq] > 1 {
			t.Fatalf("QoS 2 message %d came twice", seq)
		}
		c.held[p.PacketID] = seq
	}
	return seq
}

// next is the acknowledgement that is due for an identifier, if any, and the
// message that the server learns to be with the client.
func (c *client) next(id uint16) (ack []byte, seq uint64) {
	e, ok := c.window[id]
	answer := packet.Ack{Version: packet.V5, PacketID: id}
	switch {
	case !ok || (e.recorded && !e.released):
		return nil, 0
	case e.qos == 1:
		answer.Type = packet.PUBACK
		delete(c.window, id)
	case e.released:
		answer.Type = packet.PUBCOMP
		delete(c.window, id)
	default:
		answer.Type = packet.PUBREC
		c.window[id] = inflight{seq: e.seq, qos: 2, recorded: true}
	}
	return answer.Append(nil), e.seq
}

// unacknowledged are the messages that came and that the server does not know
// to be here.
func (c *client) unacknowledged() map[uint64]bool {
	seqs := map[uint64]bool{}
	for e := range maps.Values(c.window) {
		if e.seq != 0 && !e.recorded {
			seqs[e.seq] = true
		}
	}
	return seqs
}
