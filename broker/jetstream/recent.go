package jetstream

import "github.com/fanfare-mq/fanfare/broker"

const (
	// recentBytes is how much of what was read last a node keeps, shared by its
	// shards, and leastRecent what each has in any case: two pages. Up to there it
	// is recentEach for each reading, so that what lies between two messages of one
	// does not push them out.
	recentBytes = 32 << 20
	leastRecent = 2 * pageBytes
	recentEach  = 48 << 10
	// messageOverhead is about what a message takes in memory beside its data.
	messageOverhead = 512
)

// recent holds the messages of a shard that were read last, as many sessions
// want the same ones. It is guarded by the sweep's lock.
type recent struct {
	limit int // of most
	most  int
	bytes int
	bySeq map[uint64]*broker.Message
	order []place // oldest first
}

func newRecent(shards int) recent {
	return recent{
		limit: max(leastRecent, recentBytes/shards), most: leastRecent, bySeq: make(map[uint64]*broker.Message),
	}
}

// fit makes room for as many readings.
func (c *recent) fit(readings int) { c.most = min(c.limit, max(leastRecent, readings*recentEach)) }

// add keeps a message, and lets the oldest go.
func (c *recent) add(m *broker.Message, at place) {
	if _, ok := c.bySeq[at.seq()]; ok {
		return
	}
	c.bySeq[at.seq()] = m
	c.order = append(c.order, at)
	for c.bytes += at.size(); c.bytes > c.most; c.order = c.order[1:] {
		c.bytes -= c.order[0].size()
		delete(c.bySeq, c.order[0].seq())
	}
}

// find returns messages by their sequences, and the indices of those that are
// not there.
func (c *recent) find(seqs []uint64) (messages []*broker.Message, missing []int) {
	messages = make([]*broker.Message, len(seqs))
	for i, seq := range seqs {
		if messages[i] = c.bySeq[seq]; messages[i] == nil {
			missing = append(missing, i)
		}
	}
	return messages, missing
}

// goesSoon reports whether a message is there that is among the older half: whoever
// waits takes it now, before it has to be loaded.
func (c *recent) goesSoon(at place) bool {
	return c.bytes > c.most/2 && at <= c.order[len(c.order)/2] && c.bySeq[at.seq()] != nil
}

func (c *recent) clear() {
	*c = recent{limit: c.limit, most: c.most, bySeq: make(map[uint64]*broker.Message)}
}
