package sim

import "time"

// faults is what goes wrong in a world, and how much of it.
type faults struct {
	alone      bool // one node, whose live path is the log's order
	central    bool // claims are kept in one place, which may forget them
	outage     bool // no NATS at the moment
	lossOf     int  // one in so many live messages between nodes is lost; 0: none
	repeatOf   int  // and repeated
	liveMost   time.Duration
	failOf     int  // one in so many requests to NATS has no answer
	fails      bool // requests do, while it is not healed
	calm       bool // nothing that would keep one edge from handing a session to another
	delay      time.Duration
	lagMost    time.Duration // of a replica
	page       int           // messages that the log answers at once
	retention  time.Duration // of the log; 0: for ever
	forgets    int           // how often a central place for claims does
	crashes    int           // of nodes
	outages    int
	partitions int
	powerLoss  bool // what the log has not synced may go with a crash
}

// weather is a world's faults: some are calm, so that what goes wrong there has
// little else around it.
func weather(c chance) faults {
	f := faults{alone: c.oneIn(8), central: c.oneIn(2), page: 3 + c.IntN(62), delay: 20 * time.Millisecond, liveMost: 20 * time.Millisecond}
	f.network(c)
	f.misfortunes(c)
	if f.alone {
		f.outages, f.partitions, f.lossOf, f.repeatOf, f.failOf, f.lagMost = 0, 0, 0, 0, 0, 0
	}
	f.calm = !f.fails && !f.powerLoss && f.crashes+f.outages+f.partitions == 0 && f.delay < 100*time.Millisecond
	return f
}

// network is what goes wrong all the time.
func (f *faults) network(c chance) {
	if c.oneIn(3) {
		f.delay = 600 * time.Millisecond
	}
	if c.oneIn(2) {
		f.lossOf, f.repeatOf = 2+c.IntN(20), 2+c.IntN(20)
	}
	if c.oneIn(2) {
		f.liveMost = 3 * time.Second
	}
	if c.oneIn(3) {
		f.failOf, f.fails = 5+c.IntN(50), true
	}
	if c.oneIn(2) {
		f.lagMost = 5 * time.Second
	}
}

// misfortunes are what happens now and then.
func (f *faults) misfortunes(c chance) {
	if c.oneIn(2) {
		f.crashes = 1 + c.IntN(4)
	}
	if c.oneIn(4) {
		f.outages = 1 + c.IntN(2)
	}
	if c.oneIn(3) {
		f.partitions = 1 + c.IntN(3)
	}
	if c.oneIn(6) {
		f.retention = c.between(10*time.Second, 60*time.Second)
	}
	if f.central {
		f.forgets = c.IntN(3)
	}
	f.powerLoss = c.oneIn(8)
}

// heal ends all faults but that which makes the world what it is.
func (f *faults) heal() {
	f.outage, f.lossOf, f.repeatOf, f.failOf, f.lagMost = false, 0, 0, 0, 0
	f.liveMost, f.delay = 20*time.Millisecond, 20*time.Millisecond
}

// removes reports whether a node may be kept from removing something for long.
func (f *faults) removes() bool { return f.fails || f.outages > 0 || f.partitions > 0 }

// lost is whether a request or an answer is.
func (f *faults) lost(w *world) bool { return w.oneIn(f.failOf) }

// copies is how often a live message arrives at a node. What the log has not is
// never repeated.
func (f *faults) copies(w *world, qos byte) int {
	switch {
	case w.oneIn(f.lossOf):
		return 0
	case qos > 0 && w.oneIn(f.repeatOf):
		return 2
	default:
		return 1
	}
}

// liveDelay is how long a live message takes; where it is long, later ones
// overtake it.
func (f *faults) liveDelay(w *world) time.Duration { return time.Millisecond + w.short(f.liveMost) }

// replicaLag is how far the replica that answers is behind.
func (f *faults) replicaLag(w *world) time.Duration {
	if f.lagMost == 0 || w.oneIn(2) {
		return 0
	}
	return w.between(0, f.lagMost)
}
