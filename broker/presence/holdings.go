package presence

import (
	"hash/maphash"
	"sync"
	"unique"
)

// holdings are the claims that this process knows. A key is told by 64 bits of
// a seeded hash, since there is one for every connection: 24 bytes instead of
// a hundred.
type holdings struct {
	seed  maphash.Seed
	mu    sync.Mutex // guards byKey
	byKey map[uint64]held
}

type held struct {
	number   uint64
	instance unique.Handle[string]
}

func newHoldings() holdings {
	return holdings{seed: maphash.MakeSeed(), byKey: make(map[uint64]held)}
}

// put notes a claim, unless a newer one is known, and returns the instance of
// the one before.
func (h *holdings) put(key, instance string, number uint64) (former string) {
	id := maphash.String(h.seed, key)
	h.mu.Lock()
	defer h.mu.Unlock()
	before, known := h.byKey[id]
	if !known || before.number <= number {
		h.byKey[id] = held{number, unique.Make(instance)}
	}
	if !known {
		return ""
	}
	return before.instance.Value()
}

// drop forgets a claim, unless it is another one by now.
func (h *holdings) drop(key string, number uint64) {
	id := maphash.String(h.seed, key)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byKey[id].number == number {
		delete(h.byKey, id)
	}
}

func (h *holdings) get(key string) Holder {
	id := maphash.String(h.seed, key)
	h.mu.Lock()
	defer h.mu.Unlock()
	if found, known := h.byKey[id]; known {
		return Holder{Instance: found.instance.Value(), Number: found.number}
	}
	return Holder{}
}

// assert notes claims again and returns those for which a newer one is known.
func (h *holdings) assert(instance string, claims []Claim) (lost []Claim) {
	for _, c := range claims {
		if h.get(c.Key).Number > c.Number {
			lost = append(lost, c)
			continue
		}
		h.put(c.Key, instance, c.Number)
	}
	return lost
}
