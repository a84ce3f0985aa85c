package presence

// Memory keeps the claims of a node that is alone. It is safe for concurrent
// use.
type Memory struct {
	clock    Clock
	holdings holdings
}

// NewMemory returns a memory without claims.
func NewMemory() *Memory { return &Memory{holdings: newHoldings()} }

// Claim makes instance the holder of key; fn gets the claim's number and the
// instance that held the key before, if any.
func (m *Memory) Claim(key, instance string, fn func(number uint64, former string, err error)) {
	number := m.clock.Next()
	fn(number, m.holdings.put(key, instance, number), nil)
}

// Release gives a claim back.
func (m *Memory) Release(key string, number uint64) { m.holdings.drop(key, number) }

// Holder tells who holds key.
func (m *Memory) Holder(key string, fn func(Holder, error)) { fn(m.holdings.get(key), nil) }

// Assert says again what instance holds; fn gets the claims that another holds
// by now.
func (m *Memory) Assert(instance string, claims []Claim, fn func(lost []Claim, err error)) {
	fn(m.holdings.assert(instance, claims), nil)
}

// Hear takes note of a number that another claim has.
func (m *Memory) Hear(number uint64) { m.clock.Hear(number) }
