package auth

import (
	"container/list"
	"sync"
	"time"
)

// failures counts failures by key, forgives one in forgiveEvery, and knows at
// most maxFailing keys. It is safe for concurrent use.
type failures struct {
	now func() time.Time

	mu      sync.Mutex // guards the following
	counted map[string]*list.Element
	recent  *list.List // of *failing, the most recent failure in front
}

// failing is one key that has failed.
type failing struct {
	key   string
	n     int
	since time.Time // from when on the next one is being forgiven
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, counted: make(map[string]*list.Element), recent: list.New()}
}

// count returns how many failures of a key are not forgiven.
func (f *failures) count(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.counted[key]
	if !ok {
		return 0
	}
	one := e.Value.(*failing) //nolint:errcheck // the list holds nothing else
	one.forgive(f.now())
	return one.n
}

// add counts one failure of each key that is not empty, and returns the most
// that one of them has now.
func (f *failures) add(keys ...string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, most := f.now(), 0
	for _, key := range keys {
		if key == "" {
			continue
		}
		one := f.get(key, now)
		one.forgive(now)
		if one.n == 0 {
			one.since = now
		}
		one.n = min(one.n+1, maxFailures)
		most = max(most, one.n)
	}
	return most
}

// get returns what is counted of a key. mu is held.
func (f *failures) get(key string, now time.Time) *failing {
	if e, ok := f.counted[key]; ok {
		f.recent.MoveToFront(e)
		return e.Value.(*failing) //nolint:errcheck // the list holds nothing else
	}
	if f.recent.Len() >= maxFailing {
		oldest := f.recent.Remove(f.recent.Back()).(*failing) //nolint:errcheck // the list holds nothing else
		delete(f.counted, oldest.key)
	}
	one := &failing{key: key, since: now}
	f.counted[key] = f.recent.PushFront(one)
	return one
}

// forgive takes off what time has healed.
func (one *failing) forgive(now time.Time) {
	healed := int(now.Sub(one.since) / forgiveEvery)
	if healed <= 0 {
		return
	}
	one.n = max(0, one.n-healed)
	one.since = one.since.Add(time.Duration(healed) * forgiveEvery)
}
