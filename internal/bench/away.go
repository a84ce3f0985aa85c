package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// away are the scenarios of devices that were not there: each runs once on each
// server, as what it leaves behind would change a second run.
type away struct {
	name string
	run  func(ctx context.Context, t target, cfg Config) (Return, error)
}

// Return is how devices came back.
type Return struct {
	Expected, Delivered int64
	Took                time.Duration // from the first CONNECT to the last message
	ServerCPU           float64       // seconds, user and system, meanwhile
	Grown               int64         // most bytes of the server's memory over what it had before
	Disordered          int64
}

// runAway prints a table of the scenarios.
func runAway(ctx context.Context, cfg Config, targets []target) error {
	scenarios := []away{
		{fmt.Sprintf("%d messages for one device that was away, QoS 1", cfg.Backlog), backlog},
		{fmt.Sprintf("%d devices come back at once, a message waits for each", cfg.Storm), storm},
	}
	w := tabwriter.NewWriter(cfg.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nscenario\tserver\tdelivered\tof\ttime\tserver CPU\tmemory over idle\tout of order\t")
	for _, s := range scenarios {
		for _, t := range targets {
			r, err := s.run(ctx, t, cfg)
			if err != nil {
				return fmt.Errorf("%s on %s: %w", s.name, t.name, err)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%v\t%.2f s\t%.1f MiB\t%d\t\n", s.name, t.name, r.Delivered, r.Expected,
				r.Took.Round(time.Millisecond), r.ServerCPU, float64(r.Grown)/(1<<20), r.Disordered)
		}
	}
	return w.Flush()
}

const (
	// quiet is how long nothing has to arrive until nothing more is expected.
	quiet = 10 * time.Second
	// watchMemory is how often the server's memory is looked at.
	watchMemory = 50 * time.Millisecond
	// dialers come at the same time; a listener's queue has no room for more.
	dialers = 256
)

// backlog publishes for one durable device that is away, and has it come back.
func backlog(ctx context.Context, t target, cfg Config) (Return, error) {
	device := durable{id: "backlog", topic: t.prefix + "backlog"}
	if err := device.leave(ctx, t); err != nil {
		return Return{}, err
	}
	if err := fill(ctx, t, cfg, cfg.Backlog, func(int) string { return device.topic }); err != nil {
		return Return{}, err
	}
	return comeBack(ctx, t, []durable{device}, int64(cfg.Backlog))
}

// storm has many durable devices come back at the same moment.
func storm(ctx context.Context, t target, cfg Config) (Return, error) {
	devices := make([]durable, cfg.Storm)
	for i := range devices {
		devices[i] = durable{id: fmt.Sprintf("storm-%d", i), topic: fmt.Sprintf("%sstorm/%d", t.prefix, i)}
	}
	if err := each(devices, func(d *durable) error { return d.leave(ctx, t) }); err != nil {
		return Return{}, err
	}
	if err := fill(ctx, t, cfg, len(devices), func(i int) string { return devices[i].topic }); err != nil {
		return Return{}, err
	}
	return comeBack(ctx, t, devices, int64(len(devices)))
}

// each does something for all devices, many at once.
func each(devices []durable, do func(*durable) error) error {
	var wg sync.WaitGroup
	next := atomic.Int64{}
	errs := make([]error, dialers)
	for w := range dialers {
		wg.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1) - 1)
				if i >= len(devices) {
					return
				}
				errs[w] = do(&devices[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// durable is a device with a persistent session.
type durable struct {
	id, topic string
	client    *client
}

// leave makes the session and goes away.
func (d *durable) leave(ctx context.Context, t target) error {
	c, err := dialSession(ctx, t, d.id, false)
	if err != nil {
		return err
	}
	if err := c.subscribe(d.topic, 1); err != nil {
		return err
	}
	return c.nc.Close()
}

// fill publishes n messages with QoS 1 and waits for their acknowledgements.
func fill(ctx context.Context, t target, cfg Config, n int, topic func(int) string) error {
	c, err := dial(ctx, t, "fill")
	if err != nil {
		return err
	}
	defer c.nc.Close() //nolint:errcheck // everything was acknowledged
	payload := make([]byte, cfg.Payload)
	for sent, acked := 0, 0; acked < n; {
		c.out = c.out[:0]
		for ; sent < n && sent-acked < fillWindow; sent++ {
			number(payload, sent)
			c.out = packet.Publish{QoS: 1, PacketID: uint16(sent%60_000) + 1, Topic: []byte(topic(sent)), Payload: payload}.Append(c.out)
		}
		if _, err := c.nc.Write(c.out); err != nil {
			return err
		}
		err := c.read(func(f packet.Frame) {
			if f.Type == packet.PUBACK {
				acked++
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fillWindow is how many publishes are under way.
const fillWindow = 500

// comeBack connects the devices again and counts what they get.
func comeBack(ctx context.Context, t target, devices []durable, expected int64) (r Return, err error) {
	before, err := memory(t.pid)
	if err != nil {
		return r, err
	}
	cpu, err := CPUTime(t.pid)
	if err != nil {
		return r, err
	}
	var got, disordered, last atomic.Int64
	began := time.Now()
	var reading sync.WaitGroup
	watched, stop := context.WithCancel(ctx)
	most := make(chan int64, 1)
	go func() { most <- peak(watched, t.pid) }()
	err = each(devices, func(d *durable) error {
		c, err := dialSession(ctx, t, d.id, true)
		d.client = c
		if err == nil {
			reading.Go(func() { c.drain(&got, &disordered, func() { last.Store(int64(time.Since(began))) }) })
		}
		return err
	})
	for err == nil && got.Load() < expected && time.Since(began)-time.Duration(last.Load()) < quiet {
		err = pause(ctx, watchMemory)
	}
	stop()
	grown := <-most - before
	after, failed := CPUTime(t.pid)
	for i := range devices {
		if c := devices[i].client; c != nil {
			_ = c.nc.Close() // it has had everything
		}
	}
	reading.Wait()
	return Return{
		Expected: expected, Delivered: got.Load(), Took: time.Duration(last.Load()), ServerCPU: after - cpu,
		Grown: max(grown, 0), Disordered: disordered.Load(),
	}, errors.Join(err, failed)
}

// drain acknowledges what comes until the connection ends.
func (c *client) drain(got, disordered *atomic.Int64, arrived func()) {
	var p packet.Publish
	newest := int64(-1)
	for {
		c.out = c.out[:0]
		err := c.read(func(f packet.Frame) {
			if f.Type != packet.PUBLISH || p.Decode(f) != nil {
				return
			}
			n := numbered(p.Payload)
			if n <= newest {
				disordered.Add(1)
			}
			newest = n
			got.Add(1)
			arrived()
			c.out = packet.Ack{Type: packet.PUBACK, PacketID: p.PacketID}.Append(c.out)
		})
		if err != nil {
			return
		}
		if len(c.out) > 0 {
			if _, err := c.nc.Write(c.out); err != nil {
				return
			}
		}
	}
}

// peak is the most memory that a process had until ctx ended.
func peak(ctx context.Context, pid int) (most int64) {
	for {
		now, err := memory(pid)
		if err == nil {
			most = max(most, now)
		}
		if pause(ctx, watchMemory) != nil {
			return most
		}
	}
}
