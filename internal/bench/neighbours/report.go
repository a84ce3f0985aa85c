package neighbours

import (
	"fmt"
	"runtime"
	"text/tabwriter"
	"time"
)

// report prints the rows, of each the median of its rounds.
func report(cfg Config, rows []row) {
	out := cfg.Out
	fmt.Fprintf(out, "%d cores, shared by server, quiet devices and flood; %d rounds of %v after %v, half of each alone before and behind; medians\n\n",
		runtime.NumCPU(), cfg.Rounds, cfg.Duration, cfg.Warmup)
	fmt.Fprintf(out, "  quiet  %d devices, %d messages a second with QoS 1 from one to another, %d API publishes a second\n", 2*pairs, rate, apiRate)
	fmt.Fprintf(out, "  flood  attempts %d times what its app may, at nice %d: %s\n\n", cfg.Beyond, niceness, limits)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "flood\tp50 alone\tp50 beside\tp99 alone\tp99 beside\tratio\tof rounds\tserver cores alone\tbeside\tattempts/s\trefused\tlost\t")
	for _, r := range rows {
		ratios := r.ratios()
		seconds := cfg.Duration.Seconds() * float64(cfg.Rounds)
		fmt.Fprintf(w, "%s\t%v\t%v\t%v\t%v\t%.2f\t%s\t%.2f\t%.2f\t%.0f\t%.0f %%\t%d\t\n", r.name,
			mid(r.alone, p50), mid(r.beside, p50), mid(r.alone, p99), mid(r.beside, p99), median(ratios), span(ratios),
			mid(r.alone, cores), mid(r.beside, cores),
			float64(r.attempts.Attempts)/seconds, 100*float64(r.attempts.Refused)/float64(max(r.attempts.Attempts, 1)),
			lost(r.alone)+lost(r.beside))
	}
	_ = w.Flush() // the report's reader would see a failure before we do
}

func p50(w window) time.Duration { return w.p50.Round(10 * time.Microsecond) }
func p99(w window) time.Duration { return w.p99.Round(10 * time.Microsecond) }
func cores(w window) float64     { return w.cores }

// mid is the median of something of each window.
func mid[T time.Duration | float64](windows []window, of func(window) T) T {
	all := make([]T, len(windows))
	for i, w := range windows {
		all[i] = of(w)
	}
	return median(all)
}

func span(ratios []float64) string {
	low, high := ratios[0], ratios[0]
	for _, r := range ratios {
		low, high = min(low, r), max(high, r)
	}
	return fmt.Sprintf("%.2f–%.2f", low, high)
}

func lost(windows []window) (n int) {
	for _, w := range windows {
		n += w.lost
	}
	return n
}
