package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/internal/cluster"
	"github.com/fanfare-mq/fanfare/internal/enroll"
)

// The tenant of a run.
const organization, app = "chaos", "load"

// Run plays one run against a cluster that is up. Say hears how it goes.
func Run(ctx context.Context, c *cluster.Cluster, cfg Config, say func(format string, args ...any)) (*Report, error) {
	w := &world{username: organization + "/" + app, prefix: organization + "/" + app}
	for n := 1; n <= c.Nodes(); n++ {
		w.nodes = append(w.nodes, c.Direct(n).MQTT)
	}
	var err error
	if w.token, err = enroll.Device(ctx, c.Direct(1).HTTP, organization, app); err != nil {
		return nil, fmt.Errorf("sign up: %w", err)
	}
	running, end := context.WithCancel(ctx)
	var devices sync.WaitGroup
	defer devices.Wait()
	defer end()
	began := time.Now()
	p := newPlay(w, cfg)
	for _, d := range p.devices() {
		devices.Go(func() { d.run(running) })
	}
	if err := p.gather(ctx); err != nil {
		return nil, err
	}
	say("%d devices connected in %v", len(p.devices()), time.Since(began).Round(time.Millisecond))
	began = time.Now()
	kills, err := p.perform(ctx, c, say)
	if err != nil {
		return nil, err
	}
	published := time.Now()
	p.settle(ctx, say)
	r := p.report()
	r.Kills, r.Took, r.Settled = kills, time.Since(began), time.Since(published)
	return r, nil
}

// play is the devices of a run.
type play struct {
	world       *world
	cfg         Config
	publishers  []*device
	subscribers []*device
	ledgers     []*ledger
}

func newPlay(w *world, cfg Config) *play {
	p := &play{world: w, cfg: cfg}
	for i := range cfg.Publishers {
		d := newDevice(w, fmt.Sprintf("publisher-%d", i), versionOf(i), cfg.Seed+uint64(i))
		d.heard = func(topic string, _ []byte, _ byte) { w.problem("a publisher heard %s", topic) }
		p.publishers = append(p.publishers, d)
	}
	for i := range cfg.Subscribers {
		d := newDevice(w, fmt.Sprintf("subscriber-%d", i), versionOf(i/2), cfg.Seed^uint64(i)<<32)
		l := newLedger(share(cfg.QoS1, i%cfg.Publishers, cfg.Publishers), share(cfg.QoS2, i%cfg.Publishers, cfg.Publishers))
		d.filter = fmt.Sprintf("%s/from/%d/#", w.prefix, i%cfg.Publishers)
		d.heard = func(_ string, payload []byte, qos byte) { l.take(w, d.id, numbered(payload), qos) }
		p.subscribers, p.ledgers = append(p.subscribers, d), append(p.ledgers, l)
	}
	return p
}

// share is how many of n things fall to part i.
func share(n, i, parts int) int { return (n + parts - 1 - i) / parts }

func (p *play) devices() []*device {
	return slices.Concat(p.subscribers, p.publishers)
}

// gather waits until all devices are there.
func (p *play) gather(ctx context.Context) error {
	for _, d := range p.devices() {
		select {
		case <-d.ready:
		case <-ctx.Done():
			return fmt.Errorf("%s is not there: %w", d.id, ctx.Err())
		}
	}
	return nil
}

// perform publishes everything while parts are killed, and returns when both
// are done.
func (p *play) perform(ctx context.Context, c *cluster.Cluster, say func(string, ...any)) ([]string, error) {
	random := rand.New(rand.NewPCG(p.cfg.Seed, 2)) //nolint:gosec // to be repeated
	plan := schedule(random, p.cfg, c.Nodes())
	var killed []string
	var failed error
	var both sync.WaitGroup
	both.Go(func() { killed, failed = carryOut(ctx, c, plan, p.cfg.Down, say) })
	for i, d := range p.publishers {
		both.Go(func() { p.publish(ctx, i, d) })
	}
	both.Wait()
	return killed, failed
}

// publish sends a publisher's messages, evenly over the time, and waits until
// all are acknowledged.
func (p *play) publish(ctx context.Context, i int, d *device) {
	left := [3]int{0, share(p.cfg.QoS1, i, p.cfg.Publishers), share(p.cfg.QoS2, i, p.cfg.Publishers)}
	total := left[1] + left[2]
	sent := [3]int{}
	began := time.Now()
	for n := range total {
		qos := byte(1)
		if sent[1] >= left[1] || (sent[2] < left[2] && (n+1)*left[2]/total > sent[2]) {
			qos = 2
		}
		due := began.Add(p.cfg.Duration * time.Duration(n) / time.Duration(total))
		if !until(ctx, due) {
			return
		}
		topic := fmt.Sprintf("%s/from/%d/%d", p.world.prefix, i, qos)
		if d.publish(ctx, topic, number(sent[qos]), qos) != nil {
			return
		}
		sent[qos]++
	}
	for !d.idle() && until(ctx, time.Now().Add(pollInterval)) {
		continue
	}
}

// pollInterval is how often the ends of things are looked at.
const pollInterval = 20 * time.Millisecond

// until waits for a time.
func until(ctx context.Context, t time.Time) bool {
	select {
	case <-time.After(time.Until(t)):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// settle waits until nothing is owed any more.
func (p *play) settle(ctx context.Context, say func(string, ...any)) {
	deadline := time.Now().Add(p.cfg.Patience)
	for told := time.Now(); p.missing() > 0 && time.Now().Before(deadline) && until(ctx, time.Now().Add(pollInterval)); {
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			say("%d deliveries are still owed", p.missing())
		}
	}
	// What comes twice comes late.
	until(ctx, time.Now().Add(time.Second))
}

func (p *play) missing() (n int) {
	for _, l := range p.ledgers {
		n += l.missing()
	}
	return n
}

func (p *play) report() *Report {
	w := p.world
	r := &Report{
		Published: int64(p.cfg.QoS1 + p.cfg.QoS2), Delivered: w.delivered.Load(), Lost: int64(p.missing()),
		Disordered: w.disordered.Load(), Repeated1: w.repeated1.Load(), Repeated2: w.repeated2.Load(),
	}
	for _, d := range p.devices() {
		d.mu.Lock()
		r.Reconnects += int64(d.connects - 1)
		if n := len(d.outgoing); n > 0 {
			w.problem("%s: %d publishes were never acknowledged", d.id, n)
		}
		d.mu.Unlock()
	}
	for i, l := range p.ledgers {
		if n := l.missing(); n > 0 {
			w.problem("%s misses %d", p.subscribers[i].id, n)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Problems = w.problems
	return r
}
