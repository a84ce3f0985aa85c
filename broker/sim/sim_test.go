package sim_test

import (
	"bytes"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/sim"
)

// seeds is how many worlds the tests play; make sim plays more.
const seeds = 200

func TestWorlds(t *testing.T) {
	for seed := range uint64(seeds) {
		if err := sim.Run(seed, sim.Options{}); err != nil {
			t.Fatalf("%v\nmake sim SEED=%d shows how it came to that", err, seed)
		}
	}
}

// TestReplay: without that a failure could not be looked into.
func TestReplay(t *testing.T) {
	for seed := range uint64(10) {
		var first, second bytes.Buffer
		_ = sim.Run(seed, sim.Options{Trace: &first})
		_ = sim.Run(seed, sim.Options{Trace: &second})
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("seed %d does not repeat itself", seed)
		}
		if first.Len() == 0 {
			t.Fatalf("seed %d has no trace", seed)
		}
	}
}
