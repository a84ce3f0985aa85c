package auth

import "sync"

// underway counts what each address has under way. It is safe for concurrent
// use.
type underway struct {
	mu    sync.Mutex // guards count
	count map[string]int
}

func newUnderway() *underway { return &underway{count: make(map[string]int)} }

// begin returns how many a key has, with the one that begins. Nobody in
// particular, the empty key, has none.
func (u *underway) begin(key string) int {
	if key == "" {
		return 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count[key]++
	return u.count[key]
}

func (u *underway) end(key string) {
	if key == "" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count[key]--; u.count[key] == 0 {
		delete(u.count, key)
	}
}
