package ownership_test

import (
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
)

// What is entrusted to others says all that they need, should the connection's
// node die: they do not know how long its session lasts.
func TestWillDoesNotOutwaitItsSession(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, k := range []struct {
		name                string
		durable             bool
		expiry, delay, want time.Duration
	}{
		{"shorter than the session", true, time.Hour, time.Minute, time.Minute},
		{"longer than the session", true, time.Minute, time.Hour, time.Minute},
		{"of a session for ever", true, 0, time.Hour, time.Hour},
	} {
		table := ownership.New(ownership.Config{Instance: "me", Alone: true})
		will := &broker.Will{Message: &broker.Message{}, Durable: k.durable, Delay: k.delay}
		s := table.Connect("o/a/u/c", ownership.Request{Durable: k.durable, Expiry: k.expiry, Will: will}, nil, now)
		table.Claimed(s, 1, "", nil, now)
		var put *broker.Will
		for range 10 {
			for _, e := range table.Effects() {
				switch e.Kind {
				case ownership.Load:
					table.Loaded(e.Op, broker.Stored{}, nil, now)
				case ownership.Save:
					table.Saved(e.Op, 1, nil, now)
				case ownership.PutWill:
					put = e.Will
				default:
				}
			}
		}
		switch {
		case put == nil:
			t.Errorf("%s: no will is stored", k.name)
		case put.Delay != k.want || put.Key != "o/a/u/c" || put.Instance != "me":
			t.Errorf("%s: stored with delay %v of %s by %s, want %v", k.name, put.Delay, put.Key, put.Instance, k.want)
		case will.Delay != k.delay:
			t.Errorf("%s: the session's own will has delay %v, want %v", k.name, will.Delay, k.delay)
		}
	}
}

// TestDisownedWillGoes: from the store, however often that has to be tried, and
// the connection goes on.
func TestDisownedWillGoes(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	table := ownership.New(ownership.Config{Instance: "me", Alone: true})
	r := ownership.Request{Durable: true, Expiry: time.Hour, Will: &broker.Will{Message: &broker.Message{}}}
	s := table.Connect("o/a/u/c", r, nil, now)
	table.Claimed(s, 1, "", nil, now)
	drops, saved := 0, 0
	play := func() {
		for range 10 {
			for _, e := range table.Effects() {
				switch e.Kind {
				case ownership.Load:
					table.Loaded(e.Op, broker.Stored{}, nil, now)
				case ownership.Save:
					if saved++; saved > 1 && e.Record.Willed {
						t.Error("the record says that there is a will")
					}
					table.Saved(e.Op, 1, nil, now)
				case ownership.PutWill:
					table.Saved(e.Op, 1, nil, now)
				case ownership.DropWill:
					drops++
					var err error
					if drops == 1 {
						err = broker.ErrUnavailable
					}
					table.Done(e.Op, err, now)
				default:
				}
			}
		}
	}
	play()
	table.Disown(s, now)
	play()
	if drops != 1 || table.Deadline().IsZero() {
		t.Fatalf("tried %d times, and again at %v", drops, table.Deadline())
	}
	now = table.Deadline()
	table.Tick(now)
	play()
	table.Persist(s, &broker.Record{}, 1, now)
	play()
	table.Disown(s, now) // there is none
	play()
	if drops != 2 || saved != 2 {
		t.Errorf("dropped %d times, saved %d times", drops, saved)
	}
	table.Close(s, ownership.End{Record: &broker.Record{}, Settled: true}, now)
	play()
	if drops != 2 || table.Unsaved() != 0 {
		t.Errorf("at the end dropped %d times, %d are not saved", drops, table.Unsaved())
	}
}
