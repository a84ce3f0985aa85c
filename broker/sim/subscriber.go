package sim

import (
	"slices"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// subscriber is one session of a client from its beginning to its end, with
// what has arrived and what was published in it.
type subscriber struct {
	w         *world
	client    *client
	index     int
	published int
	stored    [len(topics)]int // the last message in the log, by topic
	times     []uint8          // how often a message has arrived, by number
	exact     []bool           // whether it has arrived with QoS 2
	acked     []bool           // whether the edge may know that it has
	known     []bool           // whether the edge does know, of a message that was acknowledged
	last      []int            // the newest message, by publisher and topic
	floor     uint64           // of the last record
}

func (o *oracle) begin(c *client) *subscriber {
	s := &subscriber{w: o.w, client: c, index: len(o.subscribers)}
	o.subscribers = append(o.subscribers, s)
	return s
}

func at[T any](list *[]T, i int) *T {
	if i >= len(*list) {
		*list = slices.Grow(*list, i+1-len(*list))[:i+1]
	}
	return &(*list)[i]
}

func (s *subscriber) has(number int) bool { return number < len(s.times) && s.times[number] > 0 }

// arrives is a message's arrival at the application.
func (s *subscriber) arrives(a arrival, name string) {
	k := &s.w.oracle.messages[a.number]
	times, exact := at(&s.times, a.number), at(&s.exact, a.number)
	s.checkTopic(a.number, k, name)
	switch {
	case *exact && a.qos == 2 && s.w.oracle.once(k):
		s.w.violate("%s got m%d twice, with QoS %d", s.client.name, a.number, a.qos)
	case s.w.faults.calm && s.knows(a.number) && k.first == k.last:
		s.w.violate("%s got m%d again, which it has acknowledged", s.client.name, a.number)
	case *times == 0 && a.qos > 0:
		s.checkFirst(a.number, k)
	}
	*times = min(*times+1, 100)
	*exact = *exact || a.qos == 2
}

// checkTopic holds what the client was told against the wall.
func (s *subscriber) checkTopic(number int, k *message, name string) {
	if !topic.InsideWall(s.client.org, name) || k.foreign || name != k.topic {
		s.w.violate("%s of %s got m%d of %s as %s", s.client.name, s.client.org, number, k.topic, name)
	}
}

// checkFirst holds the first arrival of a message against the order of its
// publisher and against the filters of the client.
func (s *subscriber) checkFirst(number int, k *message) {
	if !k.lost && !s.client.matching(k.topic, func(f *wish) bool { return f.allows(k.last) }) {
		s.w.violate("%s has not subscribed to m%d of %s", s.client.name, number, k.topic)
	}
	i := slices.Index(topics[:], suffix(k.topic))
	if i < 0 || k.will != nil || k.lost {
		return
	}
	last := at(&s.last, k.publisher*len(topics)+i)
	// The first of several copies may be older than the subscription, or gone.
	if *last > k.nth && (k.first == k.last || s.client.owes(k.first, k.topic)) && s.w.shards[k.shard].at(k.first) != nil {
		s.w.violate("%s got m%d after a later message of %s", s.client.name, number, k.client.name)
	}
	*last = k.nth
}

// owes reports whether a client must get a message of the log.
func (c *client) owes(seq uint64, name string) bool {
	return c.matching(name, func(f *wish) bool { return f.owes(seq) })
}

// taken notes that the edge has the acknowledgement of a message.
func (s *subscriber) taken(a arrival, kind packet.Type) {
	if kind == packet.PUBACK {
		*at(&s.known, a.number) = true
	}
}

// knows reports whether a message has to come no more.
func (s *subscriber) knows(number int) bool { return number < len(s.known) && s.known[number] }

// acknowledges notes that the edge may know from now on.
func (s *subscriber) acknowledges(number int) { *at(&s.acked, number) = true }

func (s *subscriber) acknowledged(number int) bool { return number < len(s.acked) && s.acked[number] }

// recorded holds a record that is written against what the client has.
func (s *subscriber) recorded(r *broker.Record) {
	for seq := s.floor + 1; seq <= r.Floor; seq++ {
		s.checkDone(seq, r)
	}
	for _, seq := range r.Acked {
		s.checkDone(seq, r)
	}
	s.floor = max(s.floor, r.Floor)
}

func (s *subscriber) checkDone(seq uint64, r *broker.Record) {
	e := s.w.shards[s.client.shard].at(seq)
	if e == nil || s.acknowledged(e.number) || !s.client.owed(e) || e.message.Expired(epoch.Add(s.w.now)) {
		return
	}
	s.w.violate("%s has not acknowledged m%d, at %d, and the record says floor %d and %v",
		s.client.name, e.number, seq, r.Floor, r.Acked)
}
