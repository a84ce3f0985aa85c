package neighbours

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// niceness of the flood's process.
const niceness = 10

// Flood is the process of a flood: it takes an order from in, floods until in
// ends, and tells on out what became of it.
func Flood(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := lowerPriority(niceness); err != nil {
		return err
	}
	var o order
	d := json.NewDecoder(in)
	if err := d.Decode(&o); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, in) // its end is all there is to hear
		stop()
	}()
	f := &flood{order: o}
	for _, kind := range o.Kinds {
		switch kind {
		case publishes:
			f.publish(ctx)
		case connects:
			f.connect(ctx)
		case fanout:
			f.fanOut(ctx)
		case requests:
			f.request(ctx)
		}
	}
	f.running.Wait()
	return json.NewEncoder(out).Encode(tally{Attempts: f.attempts.Load(), Refused: f.refused.Load()})
}

// flood is one under way.
type flood struct {
	order

	running           sync.WaitGroup
	attempts, refused atomic.Int64
}

// period is the time between two attempts of one of n that share a limit.
func (f *flood) period(limit string, n int) time.Duration {
	perSecond, _ := limits[limit].(int)
	return time.Second * time.Duration(n) / time.Duration(perSecond*f.Beyond)
}

// dial connects until it may.
func (f *flood) dial(ctx context.Context, id string, version packet.Version) *client {
	for ctx.Err() == nil {
		c, err := dial(ctx, f.MQTT, "flood", f.Token, id, version)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = c.nc.Close() })
			return c
		}
		_ = pause(ctx, time.Second) // the end is looked for above
	}
	return nil
}

// publish has devices publish: one half is told by PUBACK that it may not, the
// other half is read more slowly, so that its socket is full and it cannot.
func (f *flood) publish(ctx context.Context) {
	const n = 8
	for i := range n {
		f.running.Go(func() {
			c := f.dial(ctx, fmt.Sprintf("publisher-%d", i), []packet.Version{packet.V5, packet.V311}[i%2])
			if c == nil {
				return
			}
			f.running.Go(func() { f.count(c) })
			payload, topic, id := []byte(strings.Repeat("x", 500)), "flood/"+app+"/nobody", uint16(0)
			every(ctx, f.period("publish_rate", n), func(time.Time) {
				id = id%1000 + 1
				f.attempts.Add(1)
				_ = c.publish(topic, payload, byte(1-i%2), id) // the end is looked for elsewhere
			})
		})
	}
}

// count reads a client's packets to its end, and counts refusals.
func (f *flood) count(c *client) {
	for {
		err := c.read(func(p packet.Frame) {
			var ack packet.Ack
			if p.Type == packet.PUBACK && ack.Decode(p) == nil && ack.Reason >= packet.UnspecifiedError {
				f.refused.Add(1)
			}
		})
		if err != nil {
			return
		}
	}
}

// connect has devices come, stay for a second, and come again at once if they are
// refused.
func (f *flood) connect(ctx context.Context) {
	const n = 100
	for i := range n {
		f.running.Go(func() {
			every(ctx, f.period("connect_rate", n), func(time.Time) {
				f.attempts.Add(1)
				c, err := dial(ctx, f.MQTT, "flood", f.Token, fmt.Sprintf("comer-%d", i), packet.V5)
				if err != nil {
					f.refused.Add(1)
					return
				}
				_ = pause(ctx, time.Second) // the end is looked for by every
				_ = c.nc.Close()            // nobody could do anything about it
			})
		})
	}
}

// fanOut has a backend send to an audience: the devices are sent less than that.
func (f *flood) fanOut(ctx context.Context) {
	const n, size = 15, 1000
	filter := "flood/" + app + "/audience"
	for i := range n {
		f.running.Go(func() {
			c := f.dial(ctx, fmt.Sprintf("listener-%d", i), packet.V311)
			if c == nil || c.subscribe(filter, 1) != nil {
				return
			}
			f.listen(c)
		})
	}
	f.running.Go(func() {
		c := f.dial(ctx, "speaker", packet.V5)
		if c == nil {
			return
		}
		f.running.Go(func() { f.count(c) })
		payload, id := []byte(strings.Repeat("x", size)), uint16(0)
		most, _ := limits["fanout_bytes"].(int)
		every(ctx, time.Second*n*size/time.Duration(most*f.Beyond), func(time.Time) {
			id = id%1000 + 1
			f.attempts.Add(1)
			_ = c.publish(filter, payload, 1, id) // the end is looked for elsewhere
		})
	})
}

// listen acknowledges what comes, to the connection's end.
func (f *flood) listen(c *client) {
	var p packet.Publish
	for {
		var out []byte
		err := c.read(func(g packet.Frame) {
			if g.Type == packet.PUBLISH && p.Decode(g) == nil && p.QoS == 1 {
				out = packet.Ack{Type: packet.PUBACK, PacketID: p.PacketID}.Append(out)
			}
		})
		if err != nil {
			return
		}
		if len(out) > 0 {
			if _, err := c.nc.Write(out); err != nil {
				return
			}
		}
	}
}

// request has a backend publish by HTTP.
func (f *flood) request(ctx context.Context) {
	const n = 8
	for range n {
		f.running.Go(func() {
			every(ctx, f.period("api_rate", n), func(time.Time) {
				f.attempts.Add(1)
				err := post(ctx, f.API, f.Key, "flood/"+app+"/nobody", []byte("x"))
				if errors.Is(err, errRefused) {
					f.refused.Add(1)
				}
			})
		})
	}
}
