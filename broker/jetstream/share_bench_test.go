package jetstream_test

import (
	"sync/atomic"
	"testing"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// crowd takes what a group sends as fast as it comes.
type crowd struct {
	bus   *jetstream.Bus
	keep  bool
	count *atomic.Int64
}

func (c *crowd) Deliver(*broker.Message) {}

func (c *crowd) DeliverShared(group, filter string, _ *broker.Message, loan broker.Loan) {
	if c.keep {
		loan.Keep(func() { c.count.Add(1) })
	} else {
		loan.Done()
		c.count.Add(1)
	}
	c.bus.WantGroup(group, filter, crowdRoom)
}

const crowdRoom = 640 // of ten members

// BenchmarkGroup is the backlog of a share group going out.
func BenchmarkGroup(b *testing.B) {
	run := func(name string, keep bool, nodes ...*jetstream.Bus) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var count atomic.Int64
			group := groupOf("acme/"+name, "acme/x")
			joinGroup(b, nodes[0], group)
			nodes[0].LeaveGroup(group.Name, group.Filter)
			fill(b, nodes[0], b.N, func(int) *broker.Message { return message(1, "acme/x", "0123456789012345678901234567890123456789") })
			b.ResetTimer()
			for _, bus := range nodes {
				bus.Attach(&crowd{bus: bus, keep: keep, count: &count})
				joinGroup(b, bus, group)
				bus.WantGroup(group.Name, group.Filter, crowdRoom)
			}
			eventually(b, "all", func() bool { return count.Load() >= int64(b.N) })
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			for _, bus := range nodes {
				bus.LeaveGroup(group.Name, group.Filter)
			}
		})
	}
	alone := openAlone(b, jetstream.Config{})
	run("alone, done", false, alone)
	run("alone, kept", true, alone)
	one, two := pair(b, startNATS(b).url())
	run("two nodes, done", false, one, two)
	run("two nodes, kept", true, one, two)
}
