package jetstream_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// ofAcme are the limits of one organization.
func ofAcme(retained int, bytes int64) func(org, app string) (int, int64) {
	return func(org, _ string) (int, int64) {
		if org == "acme" {
			return retained, bytes
		}
		return 0, 0
	}
}

// TestFullOrganization fills an organization by two of its apps: another one goes
// on, and a restart knows of it.
func TestFullOrganization(t *testing.T) {
	var bytes atomic.Int64
	bytes.Store(20_000)
	cfg := jetstream.Config{
		Dir: t.TempDir(), Log: func(string, string) (time.Duration, int64) { return time.Hour, 0 },
		Organization: func(org, app string) (int, int64) { return ofAcme(0, bytes.Load())(org, app) },
	}
	b := openAlone(t, cfg)
	n := 0
	fill := func(b *jetstream.Bus) error {
		for ; ; n++ {
			topic := fmt.Sprintf("acme/app-%d/a", n%2)
			if _, err := b.PublishWait(t.Context(), thousand(1, topic)); err != nil || n > 100 {
				return err
			}
		}
	}
	if err := fill(b); !errors.Is(err, broker.ErrOrganizationFull) || n < 14 || n > 17 {
		t.Errorf("%v after %d messages of 1,000 bytes within 20,000", err, n)
	}
	publish(t, b, thousand(1, "globex/app-1/a"))
	publish(t, b, thousand(0, "acme/app-1/a"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openAlone(t, cfg)
	_, _ = b.PublishWait(t.Context(), thousand(1, "acme/app-1/a")) // opens its account
	eventually(t, "the restarted node knows", func() bool {
		_, err := b.PublishWait(t.Context(), thousand(1, "acme/app-0/a"))
		return errors.Is(err, broker.ErrOrganizationFull)
	})
	bytes.Store(1 << 40) // until it knew it took whatever came
	eventually(t, "the new limit", func() bool {
		_, err := b.PublishWait(t.Context(), thousand(1, "acme/app-1/a"))
		return err == nil
	})
}

// TestRetainedOfAnOrganization counts its apps together, and each by itself.
func TestRetainedOfAnOrganization(t *testing.T) {
	b := openAlone(t, jetstream.Config{
		Retained:     func(string, string) (int, time.Duration) { return 2, 0 },
		Organization: ofAcme(3, 0),
	})
	refused := func(m *broker.Message, want error) {
		t.Helper()
		if _, err := b.PublishWait(t.Context(), m); !errors.Is(err, want) {
			t.Errorf("%s: %v", m.Topic, err)
		}
	}
	publish(t, b, retained(1, "acme/one/1", "1"))
	publish(t, b, retained(1, "acme/one/2", "2"))
	refused(retained(1, "acme/one/3", "3"), broker.ErrRetainedQuota)
	publish(t, b, retained(0, "acme/two/1", "1"))
	refused(retained(1, "acme/two/2", "2"), broker.ErrOrganizationRetained)
	publish(t, b, retained(1, "acme/two/1", "replaced"))
	publish(t, b, retained(1, "globex/one/1", "another's"))
	publish(t, b, retained(1, "acme/one/1", ""))
	publish(t, b, retained(1, "acme/two/2", "2"))
	refused(retained(1, "acme/one/1", "1"), broker.ErrOrganizationRetained)
}

// TestCountSessions counts those of an app and of an organization. One that is
// gone counts until its marker is.
func TestCountSessions(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		count := func(org, app string) int {
			t.Helper()
			got := make(chan int, 1)
			b.CountSessions(org, app, func(n int, err error) {
				if err != nil {
					t.Errorf("%s/%s: %v", org, app, err)
				}
				got <- n
			})
			return <-got
		}
		if n := count("acme", "chat"); n != 0 {
			t.Errorf("%d sessions of nobody", n)
		}
		away := &broker.Record{Owner: "i", Expires: time.Now().Add(time.Hour)}
		for i := range 30 {
			save(t, b, fmt.Sprintf("acme/chat/ana/phone %02d/+#", i), away, 0)
		}
		save(t, b, "acme/chat/ana/phone 00/+#x", &broker.Record{Owner: "i"}, 0)
		save(t, b, "acme/mail/ana/phone", away, 0)
		save(t, b, "acmes/chat/ana/phone", away, 0)
		for of, want := range map[[2]string]int{{"acme", "chat"}: 31, {"acme", "mail"}: 1, {"acme", ""}: 32, {"acmes", ""}: 1, {"acme", "cha"}: 0} {
			if n := count(of[0], of[1]); n != want {
				t.Errorf("%d sessions of %v, want %d", n, of, want)
			}
		}
	})
}

// TestHalfIsLeftToOthers fills what one organization may have waiting for a log
// that does not answer: another still has room.
func TestHalfIsLeftToOthers(t *testing.T) {
	n := startNATS(t)
	const bound = 100
	b := open(t, jetstream.Config{
		Node: "node-b", URL: n.url(), MaxPending: bound, Log: func(string, string) (time.Duration, int64) { return 0, 0 },
	})
	n.stop()
	acks := newAnswers()
	fill := func(org string) (waiting int) {
		for {
			err := b.Publish(message(1, org+"/app/a", "x"), acks, uint64(waiting))
			if errors.Is(err, broker.ErrOverloaded) {
				return waiting
			}
			if waiting++; err != nil || waiting > bound {
				t.Fatalf("%v after %d", err, waiting)
			}
		}
	}
	if k := fill("acme"); k != bound/2 {
		t.Errorf("%d of %d are one organization's", k, bound)
	}
	if k := fill("globex"); k != bound/2 {
		t.Errorf("%d of %d are left to another", k, bound)
	}
	n.start()
	eventually(t, "all are answered", func() bool { return acks.len() == bound })
}

// TestReadersTakeTurns gives one organization very much to read, and each task
// of it long: another one is served at once, and in its turn.
func TestReadersTakeTurns(t *testing.T) {
	p := jetstream.NewTurns(openAlone(t, jetstream.Config{}), 4, 1000)
	hold := make(chan struct{})
	running := make(chan struct{}, 1000)
	for range 500 {
		if !p.Offer("acme", func() { running <- struct{}{}; <-hold }) {
			t.Fatal("refused")
		}
	}
	more := 0 // than those that wait: as many as are running by now
	for p.Offer("acme", func() {}) {
		more++
	}
	if more > 3 {
		t.Errorf("one organization has %d tasks more than half of the queue", more)
	}
	for range 3 {
		<-running
	}
	done := make(chan int)
	for i := range 50 { // acme's 3 tasks do not end, and one goroutine is left
		if !p.Offer("globex", func() { done <- i }) {
			t.Fatal("refused")
		}
	}
	for i := range 50 {
		if got := <-done; got != i {
			t.Fatalf("task %d in the place of %d", got, i)
		}
	}
	select {
	case <-running:
		t.Error("one organization has all readers")
	default:
	}
	close(hold)
	for range 497 {
		<-running
	}
	p.Close()
	if p.Offer("globex", func() {}) {
		t.Error("a closed pool takes tasks")
	}
}
