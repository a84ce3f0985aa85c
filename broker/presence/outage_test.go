package presence_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/fanfare-mq/fanfare/broker/presence"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

func TestConnectsGoOnWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	line := testenv.NewLine(t, testenv.Redis(t))
	air, prefix := &air{}, newPrefix()
	var n []*presence.Fallback
	var redis []*presence.Redis
	for range 2 {
		r := newRedis(t, line.URL, prefix)
		f := presence.NewFallback(r, newBroadcast(t, air))
		run(t, f.Run)
		until(t, r.Up)
		n, redis = append(n, f), append(redis, r)
	}
	first, _ := claim(t, n[0], "k", "a")
	line.Cut()
	second, _ := claim(t, n[1], "k", "b")
	if second <= first {
		t.Errorf("the claim without Redis has %d after %d", second, first)
	}
	until(t, func() bool {
		_, err := await(t, func(fn func(presence.Holder, error)) { redis[1].Holder("k", fn) })
		return err != nil
	})
	if h := holder(t, n[0], "k"); h != (presence.Holder{Instance: "b", Number: second}) {
		t.Errorf("without Redis the holder is %v", h)
	}
	line.Mend()
	until(t, func() bool { return redis[0].Up() && redis[1].Up() })
	if h := holder(t, n[0], "k"); h.Number != second {
		t.Errorf("Redis is back with an old claim, and the holder is %v", h)
	}
	lost := sure(t, func(fn func([]presence.Claim, error)) {
		n[1].Assert("b", []presence.Claim{{Key: "k", Number: second}}, fn)
	})
	if len(lost) != 0 {
		t.Errorf("lost are %v", lost)
	}
	if h := holder(t, redis[0], "k"); h.Number != second {
		t.Errorf("after the assertion Redis knows %v", h)
	}
	third, former := claim(t, n[0], "k", "a")
	if third <= second || former != "b" {
		t.Errorf("the next claim has %d after %d, former %q", third, second, former)
	}
}

// A Redis that comes late is used, and a wrong URL is said without the password.
func TestRedisComesLate(t *testing.T) {
	t.Parallel()
	line := testenv.NewLine(t, testenv.Redis(t))
	line.Cut()
	r := newRedis(t, line.URL, newPrefix())
	run(t, r.Run)
	_, err := await(t, func(fn func(uint64, error)) {
		r.Claim("k", "a", func(number uint64, _ string, err error) { fn(number, err) })
	})
	if err == nil {
		t.Fatal("a claim without Redis")
	}
	line.Mend()
	until(t, r.Up)
	claim(t, r, "k", "a")
	if _, err := presence.NewRedis(presence.Config{URL: "redis://:hunter2@h:port/0"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error of a bad URL is %v", err)
	}
}

func TestTheDeadHoldNothing(t *testing.T) {
	t.Parallel()
	server, prefix := testenv.Redis(t), newPrefix()
	dead, living := newRedis(t, server, prefix), startRedis(t, server, prefix)
	stop := run(t, dead.Run)
	until(t, dead.Up)
	first, _ := claim(t, dead, "k", "dead")
	stop() // gives the lease back, as its end would
	if h := holder(t, living, "k"); h.Instance != "" {
		t.Errorf("the holder is %v", h)
	}
	second, former := claim(t, living, "k", "b")
	if former != "" || second <= first {
		t.Errorf("claim %d after %d, former %q", second, first, former)
	}
}

// What Redis keeps ends by itself, and belongs to the documented names.
func TestKeysExpire(t *testing.T) {
	t.Parallel()
	server, prefix := testenv.Redis(t), newPrefix()
	r := startRedis(t, server, prefix)
	claim(t, r, "acme/chat/ana/1", "a")
	sure(t, func(fn func([]presence.Claim, error)) { r.Assert("a", []presence.Claim{{Key: "other", Number: 7}}, fn) })
	options, err := redis.ParseURL(server)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	for _, key := range []string{"claim:acme/chat/ana/1", "claim:other", "node:a"} {
		if left := client.PTTL(t.Context(), prefix+key).Val(); left <= 0 || left > presence.Lifetime {
			t.Errorf("%s has %v left", key, left)
		}
	}
	if keys := client.Keys(t.Context(), prefix+"*").Val(); len(keys) != 3 {
		t.Errorf("Redis keeps %q", keys)
	}
}

// Claims of a process that stops are answered, not forgotten.
func TestStopAnswersAll(t *testing.T) {
	t.Parallel()
	r := newRedis(t, testenv.Redis(t), newPrefix())
	stop := run(t, r.Run)
	until(t, r.Up)
	var wait sync.WaitGroup
	for range 5000 {
		wait.Add(1)
		r.Claim("k", "a", func(uint64, string, error) { wait.Done() })
	}
	stop()
	wait.Wait()
	if _, err := await(t, func(fn func(presence.Holder, error)) { r.Holder("k", fn) }); err == nil {
		t.Error("an answer after the stop")
	}
}
