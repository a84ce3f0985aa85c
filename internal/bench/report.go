package bench

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// report prints the median round of each scenario and server, by CPU cost.
func report(cfg Config, scenarios []scenario, targets []target, results map[string][]Result) {
	out := cfg.Out
	fmt.Fprintf(out, "%d cores, shared by server and generator; %d-byte payloads; %d rounds of %v after %v, median round\n\n",
		runtime.NumCPU(), cfg.Payload, cfg.Rounds, cfg.Duration, cfg.Warmup)
	for _, t := range targets {
		fmt.Fprintf(out, "  %-10s %s\n", t.name, t.about)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scenario\tserver\tmessages/s\tserver CPU µs/delivery\tspread\tserver cores\tgenerator cores\tp50\tp99\tlost\t")
	for _, s := range scenarios {
		for _, t := range targets {
			rounds := slices.Clone(results[s.name+t.name])
			slices.SortFunc(rounds, func(a, b Result) int { return cmp.Compare(a.CPUPerDelivery(), b.CPUPerDelivery()) })
			r, low, high := rounds[len(rounds)/2], rounds[0], rounds[len(rounds)-1]
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.2f\t%.2f–%.2f\t%.2f\t%.2f\t%v\t%v\t%d\t\n", s.name, t.name,
				r.Rate(), r.CPUPerDelivery(), low.CPUPerDelivery(), high.CPUPerDelivery(),
				r.ServerCPU/r.Seconds, r.ClientCPU/r.Seconds,
				r.P50.Round(time.Microsecond), r.P99.Round(time.Microsecond), r.Lost)
		}
	}
	_ = w.Flush() // the report's reader would see a failure before we do
}
