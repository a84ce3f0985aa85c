package sim

import "time"

// synced is how much of the log's end a power loss may take: what is written is
// on the disk after that.
const synced = time.Second

// losePower ends all nodes at once and takes the end of the log. What was there
// is forgiven; what comes after it has the same sequences.
func (w *world) losePower() {
	if w.healed {
		return
	}
	w.say("world", "loses power")
	for _, n := range w.nodes {
		if n.up {
			w.crash(n)
		}
	}
	for _, s := range w.shards {
		head := s.head()
		for head > 0 && s.entries[head-1] != nil && s.entries[head-1].stored > w.now-synced && !w.oneIn(8) {
			w.oracle.messages[s.entries[head-1].number].lose()
			head--
		}
		s.cut(head)
	}
	for _, c := range w.clients {
		c.cutTo(w.shards[c.shard].head())
	}
}

// lose is the end of a message that the log had. Should it be published again,
// it may arrive again, and late.
func (m *message) lose() {
	m.lost, m.first, m.last = true, 0, 0
}

// cutTo corrects what a client is owed to a head that has fallen.
func (c *client) cutTo(head uint64) {
	c.sub.floor = min(c.sub.floor, head)
	for _, f := range c.filters {
		f.since, f.before = min(f.since, head), min(f.before, head)
	}
}

// retain drops what the log need not keep any longer, again and again.
func (w *world) retain() {
	if w.faults.retention == 0 {
		return
	}
	for _, s := range w.shards {
		s.expire(w.now - w.faults.retention)
	}
	w.after(time.Second, w.retain)
}
