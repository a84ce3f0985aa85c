package sim

import "time"

// holder is who has claimed a session last.
type holder struct {
	number   uint64
	instance string
}

// claims is the model of who keeps claims: one place that may forget, or, without
// it, what each node has heard.
type claims struct {
	central map[string]holder
}

// claim numbers a connection of key, and says who had it before, as far as that
// is known.
func (n *node) claim(key string) (number uint64, former string) {
	known := n.known()
	old := known[key]
	number = max(uint64(n.time().UnixMicro()), old.number+1, n.heard[key].number+1)
	mine := holder{number, n.instance}
	known[key], n.heard[key] = mine, mine
	n.tell(func(other *node) {
		if other.heard[key].number < number {
			other.heard[key] = mine
		}
	})
	return number, old.instance
}

// known is what the node asks about claims.
func (n *node) known() map[string]holder {
	if n.w.faults.central {
		return n.w.claims.central
	}
	return n.heard
}

// holds is the number of the claim of key, 0 if nobody has it that lives.
func (n *node) holds(key string) uint64 {
	if h := n.known()[key]; n.w.instance(h.instance) != nil {
		return h.number
	}
	return 0
}

// unclaim gives a claim back.
func (n *node) unclaim(key string, number uint64) {
	for _, known := range []map[string]holder{n.w.claims.central, n.heard} {
		if known[key].number == number {
			known[key] = holder{number: number}
		}
	}
}

// tell broadcasts among nodes: what is told may be lost, or come late.
func (n *node) tell(hear func(other *node)) {
	if !n.reaches() {
		return
	}
	for _, other := range n.w.nodes {
		if other == n || n.w.oneIn(n.w.faults.lossOf) {
			continue
		}
		other.after(time.Millisecond+n.w.short(n.w.faults.liveMost), func() {
			if other.reaches() {
				hear(other)
				other.advance()
			}
		})
	}
}
