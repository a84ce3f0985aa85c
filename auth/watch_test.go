package auth_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// changeLog is an auth.ChangeSource in memory.
type changeLog struct {
	mu      sync.Mutex
	changes []tenant.Change
	failure error
	sweeps  int
}

func (l *changeLog) Changes(_ context.Context, after int64, limit int) ([]tenant.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var page []tenant.Change
	for _, c := range l.changes {
		if c.Seq > after && len(page) < limit {
			page = append(page, c)
		}
	}
	return page, l.failure
}

func (l *changeLog) Sweep(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweeps++
	return l.failure
}

// note adds a change, in the order of the numbers.
func (l *changeLog) note(seq int64, subject string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := len(l.changes)
	for at > 0 && l.changes[at-1].Seq > seq {
		at--
	}
	l.changes = append(l.changes[:at], append([]tenant.Change{{Seq: seq, Organization: "acme", Subject: subject}}, l.changes[at:]...)...)
}

func (l *changeLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = err
}

func (l *changeLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = nil
}

// watched runs a test with a directory that a watch keeps true, and nobody else.
func watched(t *testing.T, test func(t *testing.T, d *auth.Directory, src *source, l *changeLog, w *auth.Watch)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		src, l := newSource(entry("acme", "chat")), new(changeLog)
		d := auth.NewDirectory(src, time.Now)
		w := auth.NewWatch(d, l, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		test(t, d, src, l, w)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// noticed says whether a rule that was set is known within a time.
func noticed(a *auth.App, within time.Duration) bool {
	time.Sleep(within)
	synctest.Wait()
	return mayPublish(a)
}

func TestWatchFindsChanges(t *testing.T) {
	watched(t, func(t *testing.T, d *auth.Directory, src *source, l *changeLog, w *auth.Watch) {
		a := lookUp(t, d, "acme", "chat")
		src.set(opened())
		l.note(7, "chat")
		if !noticed(a, 4*time.Second) {
			t.Error("a change is not noticed")
		}
		src.set(entry("acme", "chat"))
		l.note(8, "chat")
		if w.Hurry(); noticed(a, time.Millisecond) {
			t.Error("a change is not noticed at once")
		}
		src.count()
		time.Sleep(50 * time.Second)
		wantReads(t, src, 0) // each change costs one read, however often it is seen
	})
}

// TestWatchFindsLateChanges: a transaction that was begun before another may end
// after it.
func TestWatchFindsLateChanges(t *testing.T) {
	watched(t, func(t *testing.T, d *auth.Directory, src *source, l *changeLog, _ *auth.Watch) {
		a := lookUp(t, d, "acme", "chat")
		l.note(9, "shop")
		time.Sleep(11 * time.Second)
		src.set(opened())
		l.note(8, "chat")
		if !noticed(a, 4*time.Second) {
			t.Error("a change that came late is not noticed")
		}
	})
}

func TestWatchFindsRevocations(t *testing.T) {
	watched(t, func(t *testing.T, d *auth.Directory, src *source, l *changeLog, _ *auth.Watch) {
		v := auth.NewDevices(d, time.Now)
		device, err := connect(t, v, "acme/chat", claimed(t, map[string]any{"jti": "a/b", "exp": time.Now().Add(time.Hour).Unix()}))
		if err != nil {
			t.Fatal(err)
		}
		l.note(1, src.revoke(tenant.RevokedToken, "a/b", time.Time{}).Change("chat"))
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if !device.Revoked() {
			t.Error("a revocation is not noticed")
		}
	})
}

// TestWatchAfterALongAbsence: the changes may have gone, so all is read again.
func TestWatchAfterALongAbsence(t *testing.T) {
	watched(t, func(t *testing.T, d *auth.Directory, src *source, l *changeLog, _ *auth.Watch) {
		src.setLogin(t, "acme/chat/robot")
		v := auth.NewDevices(d, time.Now)
		robot, err := connect(t, v, "acme/chat/robot", loginPassword)
		if err != nil {
			t.Fatal(err)
		}
		ana, err := connect(t, v, "acme/chat", claimed(t, map[string]any{"jti": "one", "exp": time.Now().Add(time.Hour).Unix()}))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		l.fail(fault.New(fault.Unavailable, "away"))
		src.removeLogin("acme/chat/robot")
		src.revoke(tenant.RevokedToken, "one", time.Time{})
		l.note(1, "chat/robot")
		l.forget()
		time.Sleep(6 * time.Minute)
		if robot.Revoked() || ana.Revoked() {
			t.Error("it is known, from nobody")
		}
		l.fail(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !robot.Revoked() || !ana.Revoked() {
			t.Error("what is gone is not noticed")
		}
	})
}

// TestWatchReadsPages: more changes than are read at once.
func TestWatchReadsPages(t *testing.T) {
	watched(t, func(t *testing.T, d *auth.Directory, src *source, l *changeLog, _ *auth.Watch) {
		a := lookUp(t, d, "acme", "chat")
		for seq := range int64(2_000) {
			l.note(seq+1, "shop")
		}
		l.note(2_001, "chat")
		src.set(opened())
		if !noticed(a, 4*time.Second) {
			t.Error("the last of many changes is not noticed")
		}
		time.Sleep(time.Minute)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.sweeps != 1 {
			t.Errorf("swept %d times in a minute", l.sweeps)
		}
	})
}
