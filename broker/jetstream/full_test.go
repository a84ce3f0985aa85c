package jetstream_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// TestFullLog fills the log from several publishers at once: whoever is refused
// hears so, what was acknowledged stays and was delivered, and as soon as there is
// room messages are taken again.
func TestFullLog(t *testing.T) {
	for name, cfg := range map[string]jetstream.Config{"pipelined": {}, "batched": {SyncAlways: true}} {
		t.Run(name, func(t *testing.T) {
			cfg.MaxBytes = 1 << 20
			b := openAlone(t, cfg)
			got, acks := attach(b), newAnswers()
			var wg sync.WaitGroup
			for p := range uint64(4) {
				wg.Go(func() {
					for i := range uint64(100) {
						publishAgain(t, b, message(1, fmt.Sprintf("acme/%d", p), strings.Repeat("x", 10_000)), acks, p*100+i)
					}
				})
			}
			wg.Wait()
			eventually(t, "all answered", func() bool { return acks.len() == 400 })
			log := stored(t, b, 0)
			safe := 0
			for tag, err := range acks.errs {
				switch {
				case err == nil && log[acks.seqs[tag]] != nil:
					safe++
				case !errors.Is(err, broker.ErrLogFull):
					t.Fatalf("message %d at %d: %v", tag, acks.seqs[tag], err)
				}
			}
			if safe < 50 || safe > 110 || len(log) != safe || len(got.messages()) != safe {
				t.Errorf("%d acknowledged, %d in the log, %d delivered", safe, len(log), len(got.messages()))
			}
			first := stream(t, b, 0).CachedInfo().State.FirstSeq
			for seq := first; seq < first+20; seq++ {
				if err := stream(t, b, 0).DeleteMsg(t.Context(), seq); err != nil { // as retention would
					t.Fatal(err)
				}
			}
			publish(t, b, message(1, "acme/a", "room again"))
		})
	}
}

func TestFullDisk(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	publish(t, b, message(1, "acme/a", "before"))
	jetstream.SetFreeDisk(b, jetstream.DiskReserve-1)
	for _, m := range []*broker.Message{message(1, "acme/a", "x"), message(2, "acme/a", "x"), retained(0, "acme/a", "x")} {
		if err := b.Publish(m, nil, 0); !errors.Is(err, broker.ErrLogFull) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	publish(t, b, message(0, "acme/a", "needs no room"))
	jetstream.SetFreeDisk(b, jetstream.DiskReserve) // not enough to begin again
	if err := b.Publish(message(1, "acme/a", "x"), nil, 0); !errors.Is(err, broker.ErrLogFull) {
		t.Error(err)
	}
	jetstream.SetFreeDisk(b, jetstream.DiskReserve+jetstream.DiskReturn)
	publish(t, b, message(1, "acme/a", "after"))
	if log := stored(t, b, 0); len(log) != 2 {
		t.Errorf("%d messages in the log", len(log))
	}
}
