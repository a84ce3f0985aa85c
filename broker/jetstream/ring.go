package jetstream

// ring is a queue of entries in a circular slice that grows by doubling. An
// entry keeps its index, which counts from 0 without end.
type ring struct {
	entries    []entry // the length is a power of two
	head, tail uint64
}

const (
	minRing = 64
	// keepRing is the capacity that an empty ring keeps.
	keepRing = 4096
)

func (r *ring) at(i uint64) *entry { return &r.entries[i&uint64(len(r.entries)-1)] } //nolint:gosec // a length is not negative

func (r *ring) push(e entry) {
	if r.tail-r.head == uint64(len(r.entries)) {
		r.grow()
	}
	*r.at(r.tail) = e
	r.tail++
}

func (r *ring) grow() {
	bigger := ring{entries: make([]entry, max(minRing, 2*len(r.entries))), head: r.head, tail: r.tail}
	for i := r.head; i < r.tail; i++ {
		*bigger.at(i) = *r.at(i)
	}
	*r = bigger
}

func (r *ring) pop() entry {
	e := *r.at(r.head)
	*r.at(r.head) = entry{} // let go of the message
	r.head++
	if r.head == r.tail && len(r.entries) > keepRing {
		r.entries = nil
	}
	return e
}
