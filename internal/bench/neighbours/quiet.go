package neighbours

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/bench"
)

const (
	// pairs of devices: one publishes to the other, rate messages a second all
	// together.
	pairs = 10
	rate  = 50
	// apiRate is how many messages a second come from the backend, to the first
	// device.
	apiRate = 1
)

// quiet is the organization that is measured.
type quiet struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	clients []*client

	sent, received atomic.Int64

	mu      sync.Mutex // guards the fields below
	from    time.Time  // what was due since then is measured
	samples []time.Duration
}

// window is what was measured in one.
type window struct {
	samples  []time.Duration
	p50, p99 time.Duration
	cores    float64 // of the server
	lost     int
}

// settle connects the quiet organization's devices. They talk until leave.
func settle(ctx context.Context, s *server) (*quiet, error) {
	ctx, stop := context.WithCancel(ctx)
	q := &quiet{stop: stop}
	for i := range pairs {
		topic := fmt.Sprintf("quiet/%s/pair/%d", app, i)
		to, err := dial(ctx, s.MQTT, "quiet", s.Quiet.Token, fmt.Sprintf("sub-%d", i), packet.V311)
		if err != nil {
			return q, err
		}
		q.clients = append(q.clients, to)
		if err := to.subscribe(topic, 1); err != nil {
			return q, err
		}
		from, err := dial(ctx, s.MQTT, "quiet", s.Quiet.Token, fmt.Sprintf("pub-%d", i), packet.V311)
		if err != nil {
			return q, err
		}
		q.clients = append(q.clients, from)
		q.running.Go(func() { q.receive(to) })
		q.running.Go(func() { q.receive(from) }) // PUBACKs
		q.running.Go(func() { q.talk(ctx, from, topic, time.Duration(i)*time.Second/rate) })
	}
	q.running.Go(func() {
		every(ctx, time.Second/apiRate, func(due time.Time) {
			q.sent.Add(1)
			if err := post(ctx, s.API, s.Quiet.APIKey, fmt.Sprintf("quiet/%s/pair/0", app), stamp(due)); err != nil {
				q.sent.Add(-1) // it shows as a request that failed, not as a message that was lost
			}
		})
	})
	return q, nil
}

// talk publishes a device's part of all messages.
func (q *quiet) talk(ctx context.Context, c *client, topic string, offset time.Duration) {
	select {
	case <-time.After(offset):
	case <-ctx.Done():
		return
	}
	id := uint16(0)
	every(ctx, time.Second*pairs/rate, func(due time.Time) {
		id = id%1000 + 1
		if c.publish(topic, stamp(due), 1, id) == nil {
			q.sent.Add(1)
		}
	})
}

// receive acknowledges what comes and notes how late it is.
func (q *quiet) receive(c *client) {
	var p packet.Publish
	var out []byte
	for {
		out = out[:0]
		err := c.read(func(f packet.Frame) {
			if f.Type != packet.PUBLISH || p.Decode(f) != nil {
				return
			}
			q.arrived(p.Payload)
			out = packet.Ack{Type: packet.PUBACK, PacketID: p.PacketID}.Append(out)
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

func (q *quiet) arrived(payload []byte) {
	q.received.Add(1)
	ns, err := strconv.ParseInt(string(payload), 10, 64)
	if err != nil {
		return
	}
	due := time.Unix(0, ns)
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.from.IsZero() && !due.Before(q.from) {
		q.samples = append(q.samples, time.Since(due))
	}
}

// stamp is the time at which a message was due, as text.
func stamp(due time.Time) []byte { return strconv.AppendInt(nil, due.UnixNano(), 10) }

// measure measures one window, after the warm-up, and waits for what is under way
// at its end.
func (q *quiet) measure(ctx context.Context, cfg Config, pid int) (window, error) {
	if err := pause(ctx, cfg.Warmup); err != nil {
		return window{}, err
	}
	before, err := bench.CPUTime(pid)
	if err != nil {
		return window{}, err
	}
	begin, sent, received := time.Now(), q.sent.Load(), q.received.Load()
	q.mu.Lock()
	q.from, q.samples = begin, nil
	q.mu.Unlock()
	if err := pause(ctx, cfg.Duration); err != nil {
		return window{}, err
	}
	after, err := bench.CPUTime(pid)
	if err != nil {
		return window{}, err
	}
	q.mu.Lock()
	w := window{samples: q.samples, cores: (after - before) / time.Since(begin).Seconds()}
	q.from, q.samples = time.Time{}, nil
	q.mu.Unlock()
	for late := time.Now(); time.Since(late) < answerPatience/10; {
		if w.lost = int(q.sent.Load() - sent - (q.received.Load() - received)); w.lost <= 0 {
			break
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return window{}, err
		}
	}
	w.lost = max(w.lost, 0)
	w.summarize()
	return w, nil
}

// and joins two windows.
func (w window) and(o window) window {
	all := window{samples: slices.Concat(w.samples, o.samples), cores: (w.cores + o.cores) / 2, lost: w.lost + o.lost}
	all.summarize()
	return all
}

func (w *window) summarize() {
	if n := len(w.samples); n > 0 {
		slices.Sort(w.samples)
		w.p50, w.p99 = w.samples[n/2], w.samples[n*99/100]
	}
}

// leave ends all.
func (q *quiet) leave() {
	q.stop()
	for _, c := range q.clients {
		_ = c.nc.Close() // nobody could do anything about it
	}
	q.running.Wait()
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post publishes a message as a backend does.
func post(ctx context.Context, api, key, topic string, payload []byte) error {
	body, err := json.Marshal(map[string]any{"topic": topic, "payload": string(payload), "qos": 1})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/v1/apps/"+app+"/publish", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // read to its end
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%w: %s", errRefused, answer.Status)
	}
	return nil
}
