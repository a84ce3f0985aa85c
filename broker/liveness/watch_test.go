package liveness_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/liveness"
)

// looks drives a watch of "me" in steps of a second.
type looks struct {
	t        *testing.T
	watch    *liveness.Watch
	now      time.Time
	revision uint64
	leases   map[string]*broker.Lease
}

func newLooks(t *testing.T, others ...string) *looks {
	l := &looks{t: t, watch: liveness.NewWatch("me", 4*time.Second), now: time.Unix(1_700_000_000, 0), leases: map[string]*broker.Lease{}}
	for _, instance := range append(others, "me") {
		l.leases[instance] = &broker.Lease{Instance: instance, State: broker.LeaseAlive}
		l.renew(instance)
	}
	return l
}

func (l *looks) renew(instances ...string) {
	for _, instance := range instances {
		l.revision++
		l.leases[instance].Revision = l.revision
	}
}

// look lets a second pass and returns who is dead.
func (l *looks) look() (dead []string) {
	l.now = l.now.Add(time.Second)
	var all []broker.Lease
	for _, lease := range l.leases {
		all = append(all, *lease)
	}
	for _, d := range l.watch.Observe(all, l.now, l.now) {
		dead = append(dead, d.Instance)
	}
	return dead
}

// seconds looks n times, with these instances renewing, and returns the second
// at which somebody was dead; 0: never.
func (l *looks) seconds(n int, renewing ...string) int {
	for second := range n {
		l.renew(renewing...)
		if len(l.look()) > 0 {
			return second + 1
		}
	}
	return 0
}

func TestWatch(t *testing.T) {
	t.Parallel()
	t.Run("who renews lives", func(t *testing.T) {
		if at := newLooks(t, "a").seconds(100, "me", "a"); at != 0 {
			t.Errorf("dead after %d s", at)
		}
	})
	t.Run("two periods", func(t *testing.T) {
		l := newLooks(t, "a")
		l.seconds(3, "me", "a")
		if at := l.seconds(20, "me"); at != 8 { // seen last at second 0
			t.Errorf("dead after %d s, want 8", at)
		}
		if at := l.seconds(1, "me"); at != 1 {
			t.Error("the dead one is not named again")
		}
		l.leases["a"].State = broker.LeaseDead
		if at := l.seconds(20, "me"); at != 0 {
			t.Error("declared dead twice")
		}
	})
	t.Run("looks that failed", func(t *testing.T) {
		l := newLooks(t, "a")
		l.seconds(7, "me")
		l.watch.Missed()
		if at := l.seconds(20, "me"); at != 9 { // the first sight is the start
			t.Errorf("dead after %d s, want 9", at)
		}
	})
	t.Run("a watch that slept", func(t *testing.T) {
		l := newLooks(t, "a")
		l.seconds(7, "me")
		l.now = l.now.Add(time.Hour)
		if at := l.seconds(20, "me"); at != 9 {
			t.Errorf("dead after %d s, want 9", at)
		}
	})
	t.Run("a store that takes no writes", func(t *testing.T) {
		l := newLooks(t, "a", "b")
		l.seconds(3, "me", "a", "b")
		if at := l.seconds(100); at != 0 { // its answers come from a replica
			t.Errorf("dead after %d s", at)
		}
		if at := l.seconds(6, "me"); at != 0 {
			t.Errorf("dead %d s after the store came back", at)
		}
		if at := l.seconds(100, "me", "a", "b"); at != 0 {
			t.Errorf("dead after %d s", at)
		}
	})
	t.Run("a replica that is behind", func(t *testing.T) {
		l := newLooks(t, "a")
		for range 50 {
			before := l.leases["a"].Revision
			l.renew("me", "a")
			l.look()
			l.leases["a"].Revision = before
			if dead := l.look(); len(dead) > 0 {
				t.Fatal("dead for an old sight")
			}
		}
	})
	t.Run("who is not sure to live itself", func(t *testing.T) {
		l := newLooks(t, "a")
		l.leases["me"].State = broker.LeaseDead
		if at := l.seconds(30, "me"); at != 0 {
			t.Errorf("declared dead by the dead after %d s", at)
		}
		delete(l.leases, "me")
		if at := l.seconds(30); at != 0 {
			t.Errorf("declared dead by the buried after %d s", at)
		}
	})
	t.Run("slow answers", func(t *testing.T) {
		l := newLooks(t, "a")
		for range 100 { // what is seen is as old as the question
			l.renew("me", "a")
			all := []broker.Lease{*l.leases["a"], *l.leases["me"]}
			asked := l.now
			l.now = l.now.Add(3900 * time.Millisecond)
			if dead := l.watch.Observe(all, asked, l.now); len(dead) > 0 {
				t.Fatal("dead")
			}
		}
	})
}

func TestDoubtful(t *testing.T) {
	w, now := liveness.NewWatch("me", 4*time.Second), time.Unix(1_700_000_000, 0)
	for ago, want := range map[time.Duration]bool{0: false, 7 * time.Second: false, 8 * time.Second: true, time.Minute: true} {
		if got := w.Doubtful(now.Add(-ago), now); got != want {
			t.Errorf("renewed %v ago: in doubt %v, want %v", ago, got, want)
		}
	}
}
