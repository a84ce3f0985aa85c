package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// pair is one publisher with its subscriber.
type pair struct {
	topic           string
	acked, received atomic.Int64
	moved           chan struct{}
}

// pairs sends between pairs of one publisher and one subscriber with QoS 1.
// A message is under way until it is both acknowledged and received.
func pairs(ctx context.Context, t target, cfg Config) (Result, error) {
	var g gauge
	all := make([]*pair, cfg.Pairs)
	for i := range all {
		all[i] = &pair{topic: fmt.Sprintf("%spair/%d", t.prefix, i), moved: make(chan struct{}, 1)}
	}
	clients, wait, err := receivers(ctx, t, cfg.Pairs, func(i int) (string, byte) { return all[i].topic, 1 }, &g, func(i int) {
		all[i].received.Add(1)
		nudge(all[i].moved)
	})
	defer wait()
	if err != nil {
		return Result{}, err
	}
	publishers := make([]*client, len(all))
	for i := range all {
		if publishers[i], err = dial(ctx, t, fmt.Sprintf("pub-%d", i)); err != nil {
			return Result{}, err
		}
	}
	run, stop := context.WithCancel(ctx)
	var lost atomic.Int64
	var running sync.WaitGroup
	for i, c := range publishers {
		running.Go(func() { c.acknowledged(all[i]) })
		running.Go(func() { lost.Add(c.pumpPair(run, all[i], cfg)) })
	}
	r, err := g.measure(ctx, t, cfg)
	stop()
	closeAll(append(clients, publishers...))
	running.Wait()
	r.Lost = lost.Load()
	return r, err
}

// acknowledged counts PUBACKs until the connection ends.
func (c *client) acknowledged(p *pair) {
	for {
		err := c.read(func(f packet.Frame) {
			if f.Type == packet.PUBACK {
				p.acked.Add(1)
			}
		})
		if err != nil {
			return
		}
		nudge(p.moved)
	}
}

// pumpPair publishes until ctx ends, pairWindow messages at a time, and returns
// how many went missing.
func (c *client) pumpPair(ctx context.Context, p *pair, cfg Config) (lost int64) {
	payload := make([]byte, cfg.Payload)
	for sent := int64(0); ctx.Err() == nil; {
		free := pairWindow - (sent - lost - min(p.acked.Load(), p.received.Load()))
		if free <= 0 {
			select {
			case <-p.moved:
			case <-ctx.Done():
				return lost
			case <-time.After(stall):
				lost = sent - min(p.acked.Load(), p.received.Load())
			}
			continue
		}
		c.out = c.out[:0]
		stamp(payload, time.Now())
		for range free {
			sent++
			id := uint16(sent%65_535) + 1
			c.out = packet.Publish{QoS: 1, PacketID: id, Topic: []byte(p.topic), Payload: payload}.Append(c.out)
		}
		if _, err := c.nc.Write(c.out); err != nil {
			return lost
		}
	}
	return lost
}
