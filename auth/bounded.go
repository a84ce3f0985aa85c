package auth

// bounded is a map that drops an arbitrary entry when it is full. What it
// drops costs one more read of the source, so which one hardly matters, and a
// look-up writes nothing.
type bounded[K comparable, V any] struct {
	max     int
	entries map[K]V
}

func newBounded[K comparable, V any](limit int) bounded[K, V] {
	return bounded[K, V]{max: limit, entries: make(map[K]V)}
}

func (b *bounded[K, V]) get(key K) (V, bool) {
	v, ok := b.entries[key]
	return v, ok
}

func (b *bounded[K, V]) put(key K, v V) {
	if _, ok := b.entries[key]; !ok && len(b.entries) >= b.max {
		for other := range b.entries {
			delete(b.entries, other)
			break
		}
	}
	b.entries[key] = v
}

func (b *bounded[K, V]) remove(key K) { delete(b.entries, key) }
