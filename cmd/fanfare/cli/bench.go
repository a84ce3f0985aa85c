package cli

import (
	"context"
	"os"
	"time"

	"github.com/fanfare-mq/fanfare/internal/bench"
)

type benchCmd struct {
	Duration    time.Duration `default:"4s" help:"Measured time of one scenario."`
	Warmup      time.Duration `default:"1s" help:"Time before it that does not count."`
	Rounds      int           `default:"3" help:"Rounds; the median is reported."`
	Payload     int           `default:"64" help:"Bytes of a message's payload, at least 8."`
	Subscribers int           `default:"500" help:"Subscribers of the fan-out."`
	Pairs       int           `default:"50" help:"Pairs of a publisher and a subscriber."`
	Backlog     int           `default:"100000" help:"Messages that wait for one device."`
	Storm       int           `default:"10000" help:"Devices that come back at once."`
	NoPeer      bool          `help:"Leave mosquitto out."`
}

// Run measures this executable.
func (c *benchCmd) Run(ctx context.Context, t *terminal) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return bench.Run(ctx, bench.Config{
		Binary: self, Duration: c.Duration, Warmup: c.Warmup, Rounds: c.Rounds,
		Payload: max(c.Payload, 8), Subscribers: c.Subscribers, Pairs: c.Pairs, Backlog: c.Backlog, Storm: c.Storm, NoPeer: c.NoPeer, Out: t.stdout,
	})
}
