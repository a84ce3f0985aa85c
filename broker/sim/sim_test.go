package sim_test

import (
	"testing"

	"github.com/fanfare-mq/fanfare/broker/sim"
)

func TestWorlds(t *testing.T) {
	for seed := range uint64(300) {
		if err := sim.Run(seed, sim.Options{}); err != nil {
			t.Fatal(err)
		}
	}
}
