// Command mutate breaks the program on purpose, one rule at a time, and holds
// that this is found: by the simulation within so many seeds, or, where the rule
// is of a package that the simulation does not run, by a test. A rule that can be
// broken without that being noticed is not kept by anything.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	seeds := flags.Int("seeds", 1000, "how many seeds the simulation may take")
	only := flags.String("run", "", "a regular expression of the mutants to try")
	of := flags.String("pkg", "", "a regular expression of the packages whose tests find them; the simulation's is empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	packages, err := regexp.Compile(*of)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	return try(ctx, lab{dir: dir, seeds: *seeds}, func(m mutant) bool { return pattern.MatchString(m.name) && packages.MatchString(m.pkg) }, out)
}

// try lets each mutant be caught and prints the table.
func try(ctx context.Context, l lab, wanted func(mutant) bool, out io.Writer) error {
	fmt.Fprintf(out, "%-32s %-8s %-8s %s\n", "mutant", "rule", "took", "caught by")
	escaped := 0
	for _, m := range mutants {
		if !wanted(m) {
			continue
		}
		begun := time.Now()
		caught, err := l.test(ctx, m)
		if err != nil {
			caught = err.Error()
			escaped++
		} else if caught == "" {
			caught = "NOTHING"
			escaped++
		}
		fmt.Fprintf(out, "%-32s %-8s %-8s %s\n", m.name, m.rule, time.Since(begun).Round(time.Second/10), caught)
	}
	if escaped > 0 {
		return errors.New("not every mutant was caught")
	}
	return nil
}
