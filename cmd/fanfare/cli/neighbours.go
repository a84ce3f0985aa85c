package cli

import (
	"context"
	"os"
	"time"

	"github.com/fanfare-mq/fanfare/internal/bench/neighbours"
)

type neighboursCmd struct {
	Duration time.Duration `default:"5s" help:"Measured time of one window."`
	Warmup   time.Duration `default:"1s" help:"Time before it that does not count."`
	Rounds   int           `default:"3" help:"Rounds; the median is reported."`
	Beyond   int           `default:"4" help:"How many times what it may the flooding organization attempts."`
	Bound    float64       `default:"2" help:"The ratio of the p99s from which on it is a failure."`
	Flood    bool          `hidden:"" help:"Be the flood."`
}

// Run measures this executable.
func (c *neighboursCmd) Run(ctx context.Context, t *terminal) error {
	if c.Flood {
		return neighbours.Flood(ctx, t.stdin, t.stdout)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return neighbours.Run(ctx, neighbours.Config{
		Binary: self, Duration: c.Duration, Warmup: c.Warmup, Rounds: max(c.Rounds, 1), Beyond: max(c.Beyond, 1), Bound: c.Bound, Out: t.stdout,
	})
}
