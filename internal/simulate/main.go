// Command simulate runs worlds of broker/sim, seed after seed, and ends with the
// first one in which something is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/fanfare-mq/fanfare/broker/sim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	seeds := flags.Uint64("seeds", 1000, "how many seeds to run")
	from := flags.Uint64("from", 0, "the first seed")
	seed := flags.Int64("seed", -1, "run this seed alone, with a trace")
	keep := flags.Int("keep", 1, "go on until so many seeds have failed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *seed >= 0 {
		return sim.Run(uint64(*seed), sim.Options{Trace: out})
	}
	return many(ctx, *from, *seeds, *keep, out)
}

// many runs seeds and says how fast.
func many(ctx context.Context, from, seeds uint64, keep int, out io.Writer) error {
	begun, said := time.Now(), time.Now()
	var failures []error
	for i := range seeds {
		if ctx.Err() != nil {
			break
		}
		if err := sim.Run(from+i, sim.Options{}); err != nil {
			fmt.Fprintln(out, err)
			if failures = append(failures, err); len(failures) >= keep {
				return fmt.Errorf("%d of %d seeds failed; replay with SEED=", len(failures), i+1)
			}
		}
		if now := time.Now(); now.Sub(said) > 5*time.Second {
			said = now
			report(out, i+1, seeds, now.Sub(begun))
		}
	}
	report(out, seeds, seeds, time.Since(begun))
	if len(failures) > 0 {
		return errors.New("there are failures")
	}
	return nil
}

func report(out io.Writer, done, seeds uint64, took time.Duration) {
	fmt.Fprintf(out, "%d of %d seeds, %.0f a second\n", done, seeds, float64(done)/took.Seconds())
}
