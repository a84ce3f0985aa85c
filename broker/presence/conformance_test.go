package presence_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/presence"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// claims is what every implementation does.
type claims interface {
	Claim(key, instance string, fn func(number uint64, former string, err error))
	Release(key string, number uint64)
	Holder(key string, fn func(presence.Holder, error))
	Assert(instance string, claims []presence.Claim, fn func(lost []presence.Claim, err error))
	Hear(number uint64)
}

var (
	_ claims = (*presence.Memory)(nil)
	_ claims = (*presence.Redis)(nil)
	_ claims = (*presence.Broadcast)(nil)
	_ claims = (*presence.Fallback)(nil)
)

// nodes makes n nodes of one cluster.
type nodes func(t *testing.T, n int) []claims

func implementations() map[string]nodes {
	return map[string]nodes{
		"memory": func(*testing.T, int) []claims {
			alone := presence.NewMemory()
			return []claims{alone, alone, alone}
		},
		"redis": func(t *testing.T, n int) []claims {
			prefix := newPrefix()
			return each(n, func() claims { return startRedis(t, testenv.Redis(t), prefix) })
		},
		"broadcast": func(t *testing.T, n int) []claims {
			air := &air{}
			return each(n, func() claims { return newBroadcast(t, air) })
		},
		"fallback": func(t *testing.T, n int) []claims {
			air, prefix := &air{}, newPrefix()
			return each(n, func() claims { return startFallback(t, testenv.Redis(t), prefix, air) })
		},
		"fallback, Redis away": func(t *testing.T, n int) []claims {
			air, prefix := &air{}, newPrefix()
			return each(n, func() claims { return startFallback(t, "redis://127.0.0.1:1/0", prefix, air) })
		},
	}
}

func each(n int, start func() claims) (all []claims) {
	for range n {
		all = append(all, start())
	}
	return all
}

func TestClaims(t *testing.T) {
	t.Parallel()
	for name, start := range implementations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("newest wins", func(t *testing.T) { t.Parallel(); newestWins(t, start(t, 3)) })
			t.Run("release", func(t *testing.T) { t.Parallel(); release(t, start(t, 3)) })
			t.Run("assert", func(t *testing.T) { t.Parallel(); assert(t, start(t, 3)) })
			t.Run("clocks", func(t *testing.T) { t.Parallel(); clocks(t, start(t, 3)) })
			t.Run("any key", func(t *testing.T) { t.Parallel(); anyKey(t, start(t, 3)) })
			t.Run("many", func(t *testing.T) { t.Parallel(); many(t, start(t, 3)) })
		})
	}
}

func newestWins(t *testing.T, n []claims) {
	if h := holder(t, n[1], "acme/chat/ana/1"); h != (presence.Holder{}) {
		t.Errorf("before any claim the holder is %v", h)
	}
	var last uint64
	for round := range 9 {
		node := round % 3
		number, _ := claim(t, n[node], "acme/chat/ana/1", name(node))
		if number <= last {
			t.Fatalf("claim %d has number %d after %d", round, number, last)
		}
		last = number
		for asked := range n {
			if h := holder(t, n[asked], "acme/chat/ana/1"); h != (presence.Holder{Instance: name(node), Number: number}) {
				t.Fatalf("node %d says the holder is %v, not %s with %d", asked, h, name(node), number)
			}
		}
	}
}

func release(t *testing.T, n []claims) {
	first, _ := claim(t, n[0], "k", "a")
	second, _ := claim(t, n[0], "k", "a")
	n[0].Release("k", first) // not this one
	if h := holder(t, n[1], "k"); h.Number != second {
		t.Fatalf("the release of an older claim left %v", h)
	}
	n[0].Release("k", second)
	// Nobody waits for a release, and what is asked after it may pass it.
	for deadline := time.Now().Add(5 * time.Second); holder(t, n[0], "k").Instance != ""; {
		if time.Now().After(deadline) {
			t.Fatalf("after the release %v holds the key", holder(t, n[0], "k"))
		}
	}
	third, former := claim(t, n[0], "k", "a")
	if third <= second || former != "" {
		t.Fatalf("a claim after a release: %d after %d, former %q", third, second, former)
	}
}

func assert(t *testing.T, n []claims) {
	older, _ := claim(t, n[0], "k", "a")
	newer, former := claim(t, n[0], "k", "b")
	if former != "a" {
		t.Errorf("former is %q", former)
	}
	held, _ := claim(t, n[0], "mine", "a")
	lost := sure(t, func(fn func([]presence.Claim, error)) {
		n[0].Assert("a", []presence.Claim{{Key: "mine", Number: held}, {Key: "k", Number: older}, {Key: "new", Number: older}}, fn)
	})
	if len(lost) != 1 || lost[0] != (presence.Claim{Key: "k", Number: older}) {
		t.Errorf("lost are %v", lost)
	}
	for key, want := range map[string]presence.Holder{
		"k": {Instance: "b", Number: newer}, "mine": {Instance: "a", Number: held}, "new": {Instance: "a", Number: older},
	} {
		if h := holder(t, n[1], key); h != want {
			t.Errorf("%s is held by %v, want %v", key, h, want)
		}
	}
	if lost := sure(t, func(fn func([]presence.Claim, error)) { n[0].Assert("a", nil, fn) }); len(lost) != 0 {
		t.Errorf("nothing asserted, lost %v", lost)
	}
}

// A node whose clock is behind still counts above what it heard.
func clocks(t *testing.T, n []claims) {
	ahead := uint64(time.Now().Add(time.Hour).UnixMicro())
	n[0].Hear(ahead)
	first, _ := claim(t, n[0], "k", "a")
	if first <= ahead {
		t.Fatalf("claim %d after hearing %d", first, ahead)
	}
	n[0].Hear(1<<64 - 1) // no clock says so
	second, _ := claim(t, n[0], "k", "a")
	if second <= first || second > first+uint64(time.Hour.Microseconds()) {
		t.Fatalf("claim %d after %d", second, first)
	}
}

func anyKey(t *testing.T, n []claims) {
	for i, key := range []string{
		"acme/chat/ana/" + strings.Repeat("x", 65_535), "acme/chat/ana/" + strings.Repeat("x", 65_534), "a b/\x00\n/{c}/é %d 5 who", "",
	} {
		number, _ := claim(t, n[i%2], key, "a")
		if h := holder(t, n[0], key); h != (presence.Holder{Instance: "a", Number: number}) {
			t.Errorf("key %d is held by %v", i, h)
		}
	}
}

func many(t *testing.T, n []claims) {
	const keys = 2000
	var wait sync.WaitGroup
	var mu sync.Mutex
	numbers := map[string][]uint64{}
	for i := range keys {
		for node := range n {
			key := fmt.Sprint("acme/chat/user/", i)
			wait.Add(1)
			n[node].Claim(key, name(node), func(number uint64, _ string, err error) {
				defer wait.Done()
				mu.Lock()
				defer mu.Unlock()
				numbers[key] = append(numbers[key], number)
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for i := range keys {
		key := fmt.Sprint("acme/chat/user/", i)
		if i%100 == 0 {
			if h := holder(t, n[i%3], key); h.Number != slices.Max(numbers[key]) {
				t.Fatalf("%s is held by %v, the claims are %v", key, h, numbers[key])
			}
		}
	}
}

func name(node int) string { return string(rune('a' + node)) }

func claim(t *testing.T, c claims, key, instance string) (uint64, string) {
	t.Helper()
	type answer struct {
		number uint64
		former string
	}
	a := sure(t, func(fn func(answer, error)) {
		c.Claim(key, instance, func(number uint64, former string, err error) { fn(answer{number, former}, err) })
	})
	return a.number, a.former
}

func holder(t *testing.T, c claims, key string) presence.Holder {
	t.Helper()
	return sure(t, func(fn func(presence.Holder, error)) { c.Holder(key, fn) })
}

// sure waits for an answer without an error.
func sure[T any](t *testing.T, ask func(func(T, error))) T {
	t.Helper()
	answer, err := await(t, ask)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func await[T any](t *testing.T, ask func(func(T, error))) (T, error) {
	t.Helper()
	type result struct {
		answer T
		err    error
	}
	results := make(chan result, 2)
	ask(func(answer T, err error) { results <- result{answer, err} })
	select {
	case r := <-results:
		return r.answer, r.err
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
		panic("unreachable")
	}
}

func newPrefix() string { return "test-" + rand.Text() + ":" }

func newBroadcast(t testing.TB, a *air) *presence.Broadcast {
	b, err := presence.NewBroadcast(a.join(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Hurry(100 * time.Millisecond) // they are in this process
	return b
}

func newRedis(t testing.TB, url, prefix string) *presence.Redis {
	r, err := presence.NewRedis(presence.Config{URL: url, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func startRedis(t testing.TB, url, prefix string) *presence.Redis {
	r := newRedis(t, url, prefix)
	run(t, r.Run)
	until(t, r.Up)
	return r
}

func startFallback(t testing.TB, url, prefix string, a *air) *presence.Fallback {
	r := newRedis(t, url, prefix)
	f := presence.NewFallback(r, newBroadcast(t, a))
	run(t, f.Run)
	if !strings.HasSuffix(url, ":1/0") {
		until(t, r.Up)
	}
	return f
}

// run runs something until the test ends.
func run(t testing.TB, what func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- what(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// until waits for what another goroutine brings about.
func until(t testing.TB, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatal("it did not come about")
		case <-tick.C:
		}
	}
}

// air carries announcements between nodes, as NATS does: the sender's own at
// once, others' on a goroutine for each node.
type air struct {
	mu    sync.Mutex
	nodes []*station
}

type station struct {
	air   *air
	mu    sync.Mutex
	on    map[string]func([]byte)
	inbox chan func()
}

func (a *air) join() *station {
	s := &station{air: a, on: map[string]func([]byte){}, inbox: make(chan func(), 1<<16)}
	go func() {
		for f := range s.inbox {
			f()
		}
	}()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes = append(a.nodes, s)
	return s
}

func (s *station) Announce(subject string, data []byte) error {
	s.air.mu.Lock()
	all := slices.Clone(s.air.nodes)
	s.air.mu.Unlock()
	for _, node := range all {
		node.mu.Lock()
		fn := node.on[subject]
		node.mu.Unlock()
		switch {
		case fn == nil:
		case node == s:
			fn(data)
		default:
			node.inbox <- func() { fn(data) }
		}
	}
	return nil
}

func (s *station) OnAnnounce(subject string, fn func([]byte)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on[subject] = fn
	return nil
}
