package jetstream_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// BenchmarkCatchUp has sessions that were away read what they missed, by pages
// as the edge asks for them.
func BenchmarkCatchUp(b *testing.B) {
	bus := openAlone(b, jetstream.Config{})
	const text = "0123456789012345678901234567890123456789"
	fill(b, bus, 100_000, func(int) *broker.Message { return message(1, "acme/one/x", text) })
	fill(b, bus, 200_000, func(i int) *broker.Message { return message(1, fmt.Sprintf("acme/own/%d/x", i%100), text) })
	fill(b, bus, 2_000, func(int) *broker.Message { return message(1, "acme/news/x", text) })
	run := func(name string, sessions, each int, filter func(i int) string) {
		b.Run(name, func(b *testing.B) {
			before := bus.Stats().Passes
			for b.Loop() {
				var all sync.WaitGroup
				for i := range sessions {
					all.Go(func() {
						if got := catchUp(b, bus, filter(i)); got != each {
							b.Errorf("%d messages, want %d", got, each)
						}
					})
				}
				all.Wait()
			}
			b.ReportMetric(float64(sessions*each*b.N)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(bus.Stats().Passes-before)/float64(b.N), "passes")
		})
	}
	run("one session, 100000", 1, 100_000, func(int) string { return "acme/one/#" })
	run("one session of 100, 2000", 1, 2_000, func(int) string { return "acme/own/7/#" })
	run("100 sessions, 2000 each", 100, 2_000, func(i int) string { return fmt.Sprintf("acme/own/%d/#", i) })
	run("1000 sessions, the same 2000", 1000, 2_000, func(int) string { return "acme/news/#" })
}

// catchUp reads all that a filter matches and returns how many there were.
func catchUp(t testing.TB, bus *jetstream.Bus, filter string) (got int) {
	q := broker.Query{Filters: []string{filter}, Limit: 64}
	for more := true; more; q.Limit = min(2*q.Limit, 1024) {
		p, err := tryRead(t, bus, q)
		if err != nil {
			t.Error(err)
			return got
		}
		got, q.After, more = got+len(p.Messages), p.UpTo, p.More
	}
	return got
}
