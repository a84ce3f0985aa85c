package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// stall is how long nothing may arrive before what is under way counts as lost.
const stall = time.Second

// fanout sends from one publisher to many subscribers of one topic with QoS 0.
// The publisher is held to fanoutWindow messages under way, counted at the
// subscribers, so that no server wins by dropping.
func fanout(ctx context.Context, t target, cfg Config) (Result, error) {
	var g gauge
	var received atomic.Int64
	moved := make(chan struct{}, 1)
	topic := t.prefix + "fan"
	subscribers, wait, err := receivers(ctx, t, cfg.Subscribers, func(int) (string, byte) { return topic, 0 }, &g, func(int) {
		if received.Add(1)%int64(cfg.Subscribers) == 0 {
			nudge(moved)
		}
	})
	defer wait()
	if err != nil {
		return Result{}, err
	}
	publisher, err := dial(ctx, t, "pub")
	if err != nil {
		return Result{}, err
	}
	run, stop := context.WithCancel(ctx)
	var lost int64
	var done sync.WaitGroup
	done.Go(func() { lost = publisher.pump(run, topic, cfg, &received, moved) })
	r, err := g.measure(ctx, t, cfg)
	stop()
	done.Wait()
	closeAll(append(subscribers, publisher))
	r.Lost = lost
	return r, err
}

// pump publishes until ctx ends and returns how many deliveries went missing.
func (c *client) pump(ctx context.Context, topic string, cfg Config, received *atomic.Int64, moved <-chan struct{}) (lost int64) {
	payload := make([]byte, cfg.Payload)
	audience := int64(cfg.Subscribers)
	for sent := int64(0); ctx.Err() == nil; sent++ {
		for sent-(received.Load()+lost)/audience >= fanoutWindow {
			before := received.Load()
			select {
			case <-moved:
			case <-ctx.Done():
				return lost
			case <-time.After(stall):
				if received.Load() == before {
					lost = sent*audience - before
				}
			}
		}
		stamp(payload, time.Now())
		c.out = packet.Publish{Topic: []byte(topic), Payload: payload}.Append(c.out[:0])
		if _, err := c.nc.Write(c.out); err != nil {
			return lost
		}
	}
	return lost
}

// receivers connects and subscribes n clients and starts to receive; wait
// returns when all have ended.
func receivers(ctx context.Context, t target, n int, of func(i int) (filter string, qos byte), g *gauge, got func(i int)) (clients []*client, wait func(), err error) {
	var running sync.WaitGroup
	wait = func() { closeAll(clients); running.Wait() }
	for i := range n {
		c, err := dial(ctx, t, fmt.Sprintf("sub-%d", i))
		if err != nil {
			return clients, wait, err
		}
		clients = append(clients, c)
		filter, qos := of(i)
		if err := c.subscribe(filter, qos); err != nil {
			return clients, wait, err
		}
	}
	for i, c := range clients {
		running.Go(func() { c.receive(g, func() { got(i) }) })
	}
	return clients, wait, nil
}

func closeAll(clients []*client) {
	for _, c := range clients {
		_ = c.nc.Close() // the run is over
	}
}

// nudge wakes the one who waits on ch, if nobody has yet.
func nudge(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
