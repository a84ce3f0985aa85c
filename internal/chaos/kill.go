package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/internal/cluster"
)

// blow is one kill of the plan.
type blow struct {
	at   time.Duration // from the beginning
	part string
}

// schedule spreads the kills over the run, each in a slot of its own so that no
// two parts of a kind are down at the same time: three NATS servers survive the
// loss of one.
func schedule(random *rand.Rand, cfg Config, nodes int) []blow {
	var plan []blow
	for _, kind := range []struct {
		name     string
		kills, n int
	}{{"fanfare", cfg.NodeKills, nodes}, {"nats", cfg.NATSKills, cluster.Size}} {
		slot := cfg.Duration / time.Duration(max(kind.kills, 1))
		for i := range kind.kills {
			plan = append(plan, blow{
				at:   time.Duration(i)*slot + slot/10 + time.Duration(random.Int64N(int64(slot/3))),
				part: fmt.Sprintf("%s-%d", kind.name, 1+random.IntN(kind.n)),
			})
		}
	}
	slices.SortFunc(plan, func(a, b blow) int { return int(a.at - b.at) })
	return plan
}

// carryOut kills by plan, and starts again what was killed. A part is not
// killed before it is back from the last time.
func carryOut(ctx context.Context, c *cluster.Cluster, plan []blow, down time.Duration, say func(string, ...any)) (killed []string, err error) {
	began := time.Now()
	starting := make(map[string]chan error)
	for _, b := range plan {
		if !until(ctx, began.Add(b.at)) {
			break
		}
		part := c.Part(b.part)
		if err := back(starting[b.part]); err != nil {
			return killed, err
		}
		at := time.Since(began).Round(time.Millisecond)
		say("%v: kill -9 %s", at, b.part)
		killed = append(killed, fmt.Sprintf("%s at %v", b.part, at))
		if err := part.Kill(); err != nil {
			return killed, err
		}
		started := make(chan error, 1)
		starting[b.part] = started
		go func() {
			until(ctx, time.Now().Add(down))
			started <- part.Start(ctx)
		}()
	}
	for _, started := range starting {
		err = errors.Join(err, back(started))
	}
	return killed, err
}

// back waits until a part that was killed is ready again.
func back(started <-chan error) error {
	if started == nil {
		return nil
	}
	return <-started
}
