package jetstream_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// fill publishes n messages, topic by topic of name, and waits.
func fill(b *testing.B, bus *jetstream.Bus, n int, next func(i int) *broker.Message) {
	b.Helper()
	acks := newAnswers()
	for i := range n {
		publishAgain(b, bus, next(i), acks, uint64(i))
	}
	eventually(b, "filled", func() bool { return acks.len() == n })
}

func BenchmarkRead(b *testing.B) {
	bus := openAlone(b, jetstream.Config{})
	fill(b, bus, 100_000, func(i int) *broker.Message {
		return message(1, fmt.Sprintf("acme/chat/users/%d", i%1000), "0123456789012345678901234567890123456789")
	})
	idle := make([]string, 50)
	for i := range idle {
		idle[i] = fmt.Sprintf("acme/chat/idle/%d/#", i)
	}
	run := func(name string, q broker.Query, want int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p := read(b, bus, q); len(p.Messages) != want {
					b.Fatalf("%d messages", len(p.Messages))
				}
			}
		})
		b.Run(name+" at once", func(b *testing.B) {
			var wg sync.WaitGroup
			limit := make(chan struct{}, 64)
			for b.Loop() {
				limit <- struct{}{}
				wg.Add(1)
				bus.Read(q, func(p broker.Page, err error) {
					if err != nil || len(p.Messages) != want {
						b.Errorf("%d messages, %v", len(p.Messages), err)
					}
					<-limit
					wg.Done()
				})
			}
			wg.Wait()
		})
	}
	run("50 idle filters", broker.Query{Filters: idle, Limit: 1000, After: 99_000}, 0)
	run("100 hits", broker.Query{Filters: []string{"acme/chat/users/7/#"}, Limit: 1000}, 100)
	run("10 of 100 hits", broker.Query{Filters: []string{"acme/chat/users/7/#"}, Limit: 1000, After: 90_001}, 10)
	run("scan of 1000", broker.Query{Filters: []string{"acme/chat/#"}, Limit: 1000, After: 1}, 1000)
}

func BenchmarkRetained(b *testing.B) {
	bus := openAlone(b, jetstream.Config{})
	for _, n := range []int{200, 5000} {
		fill(b, bus, n, func(i int) *broker.Message { return retained(1, fmt.Sprintf("acme/%d/%d", n, i), "0123456789") })
		b.Run(fmt.Sprintf("read %d", n), func(b *testing.B) {
			for b.Loop() {
				if all := keptNow(b, bus, fmt.Sprintf("acme/%d/#", n), 100); len(all) != n {
					b.Fatalf("%d messages", len(all))
				}
			}
		})
	}
	for name, topics := range map[string]int{"one topic": 1, "1000 topics": 1000} {
		b.Run("write "+name, func(b *testing.B) {
			n := 0
			acks := newAnswers()
			for b.Loop() {
				publishAgain(b, bus, retained(1, fmt.Sprintf("acme/w/%d", n%topics), "x"), acks, uint64(n))
				n++
			}
			eventually(b, "written", func() bool { return acks.len() == n })
		})
	}
}

// BenchmarkAppend has one node append as fast as the log takes, in each of the
// ways that a log can be durable.
func BenchmarkAppend(b *testing.B) {
	start := map[string]func() *jetstream.Bus{
		"embedded": func() *jetstream.Bus { return openAlone(b, jetstream.Config{}) },
		"always":   func() *jetstream.Bus { return openAlone(b, jetstream.Config{SyncAlways: true}) },
		"R3": func() *jetstream.Bus {
			return open(b, jetstream.Config{Node: "node-a", URL: startCluster(b)[0].ClientURL(), Shards: 1, Replicas: 3})
		},
	}
	for _, name := range []string{"embedded", "always", "R3"} {
		b.Run(name, func(b *testing.B) {
			bus := start[name]()
			acks := new(tally)
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				publishAgain(b, bus, message(1, fmt.Sprintf("acme/a/%d", n%1000), "0123456789"), acks, uint64(n))
				n++
			}
			eventually(b, "appended", func() bool { return acks.n.Load() == int64(n) })
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}

// tally counts acknowledgements.
type tally struct{ n atomic.Int64 }

func (a *tally) Published(uint64, *broker.Message, error) { a.n.Add(1) }
