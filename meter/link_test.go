package meter_test

import (
	"context"
	"crypto/rand"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/meter"
)

// node is a meter of a simulated cluster, with somebody who wants things.
type node struct {
	*meter.Meter
	rate  *meter.Rate
	wants int64 // a second
	owed  float64
	got   int64
}

// cluster is nodes that share a Redis, and a clock that the test turns.
type cluster struct {
	t     *testing.T
	now   time.Time
	nodes []*node
}

const limit = 1000

func newCluster(t *testing.T, url string, wants ...int64) *cluster {
	t.Helper()
	c := &cluster{t: t, now: start}
	prefix := "test-" + rand.Text() + ":"
	for _, want := range wants {
		m, err := meter.New(meter.Config{URL: url, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Leave(context.Background()) })
		c.nodes = append(c.nodes, &node{Meter: m, rate: m.Rate("acme/chat publish_rate"), wants: want})
	}
	c.exchange()
	c.exchange() // the first has heard of the last
	return c
}

func (c *cluster) exchange() {
	for _, n := range c.nodes {
		n.Exchange(c.t.Context(), c.now)
	}
}

// run lets seconds go by, and returns what each node got a second.
func (c *cluster) run(seconds int) []float64 {
	const step = 5 * time.Millisecond
	for _, n := range c.nodes {
		n.got = 0
	}
	for range time.Duration(seconds) * time.Second / step {
		c.now = c.now.Add(step)
		for _, n := range c.nodes {
			n.want(step, c.now)
		}
		if c.now.Sub(start)%meter.Every == 0 {
			c.exchange()
		}
	}
	got := make([]float64, len(c.nodes))
	for i, n := range c.nodes {
		got[i] = float64(n.got) / float64(seconds)
	}
	return got
}

// total asks until everybody has said and heard what there is.
func (c *cluster) total(count *meter.Count) int64 {
	for range 2 {
		count.Total()
		c.run(1)
	}
	return count.Total()
}

// want takes one by one what comes in a step.
func (n *node) want(step time.Duration, now time.Time) {
	for n.owed += float64(n.wants) * step.Seconds(); n.owed >= 1; n.owed-- {
		if ok, _ := n.rate.Take(1, limit, now); ok {
			n.got++
		}
	}
}

func (c *cluster) expect(what string, got []float64, want ...float64) {
	c.t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > 0.15*limit/float64(len(want)) {
			c.t.Errorf("%s: the nodes got %.0f, not about %.0f", what, got, want)
			return
		}
	}
}

func TestNodesShareARate(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.Redis(t), 2000, 2000)
	if got := c.run(1); got[0]+got[1] > 2.15*limit {
		t.Errorf("with what comes at once the first second had %.0f", got)
	}
	c.expect("both want all", c.run(5), 500, 500)
	c.nodes[0].wants = 300
	c.run(1)
	c.expect("one wants less", c.run(5), 300, 700)
	c.nodes[0].wants, c.nodes[1].wants = 300, 400
	c.run(1)
	c.expect("there is enough", c.run(5), 300, 400)
}

func TestANodeThatWasIdleGetsItsShare(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.Redis(t), 2000, 0)
	c.run(5)
	c.expect("one alone", c.run(5), 1000, 0)
	c.nodes[1].wants = 2000
	got := c.run(5)
	if all := got[0] + got[1]; math.Abs(all-limit) > 0.15*limit {
		t.Errorf("while the other begins they had %.0f", got)
	}
	c.expect("both", c.run(5), 500, 500)
	c.nodes[0].wants = 0
	c.run(3)
	c.expect("the first has stopped", c.run(5), 0, 1000)
}

func TestADeadNodesShareIsTheOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.Redis(t), 2000, 2000)
	c.run(3)
	c.nodes = c.nodes[:1] // it says nothing any more, and takes nothing back
	c.run(2)
	c.expect("two seconds after the other's death", c.run(5), 1000)
}

func TestANodeThatLeavesIsMissedAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.Redis(t), 2000, 2000)
	c.nodes[1].Count("acme connections").Add(7)
	mine := c.nodes[0].Count("acme connections")
	c.run(3)
	if got := c.total(mine); got != 7 {
		t.Errorf("the total is %d", got)
	}
	if err := c.nodes[1].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.nodes = c.nodes[:1]
	if got := c.total(mine); got != 0 {
		t.Errorf("the total is %d without the other", got)
	}
	c.expect("alone", c.run(3), 1000)
}

func TestNodesAddUpCounts(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.Redis(t), 0, 0, 0)
	var counts []*meter.Count
	for i, n := range c.nodes {
		counts = append(counts, n.Count("acme connections"))
		counts[i].Add(int64(10 * (i + 1)))
	}
	c.run(1)
	for _, count := range counts {
		if got := c.total(count); got != 60 {
			t.Errorf("the total is %d", got)
		}
	}
	counts[2].Add(-30)
	if got := counts[2].Total(); got != 30 {
		t.Errorf("this node's part changes at once, and the total is %d", got)
	}
	if got := c.total(counts[0]); got != 30 {
		t.Errorf("the total is %d on another node", got)
	}
}

func TestWithoutRedisEachHasTheWholeRate(t *testing.T) {
	t.Parallel()
	line := testenv.NewLine(t, testenv.Redis(t))
	c := newCluster(t, line.URL, 2000, 2000)
	mine := c.nodes[0].Count("acme connections")
	mine.Add(1)
	c.nodes[1].Count("acme connections").Add(1)
	if got := c.total(mine); got != 2 {
		t.Errorf("the total is %d", got)
	}
	line.Cut()
	c.run(1)
	if c.nodes[0].Shared() {
		t.Error("the line is cut, and nobody has noticed")
	}
	c.expect("Redis is away", c.run(5), 1000, 1000)
	if got := mine.Total(); got != 1 {
		t.Errorf("the total is %d without Redis", got)
	}
	line.Mend()
	c.run(3)
	c.expect("Redis is back", c.run(5), 500, 500)
	if got := c.total(mine); got != 2 {
		t.Errorf("the total is %d after Redis has come back", got)
	}
}

func TestAnEmptiedRedisIsFilledAgain(t *testing.T) {
	t.Parallel()
	server, err := testenv.StartRedis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	c := newCluster(t, server.URL, 2000, 2000)
	c.run(2)
	client := redisOf(t, server.URL)
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	c.run(2)
	c.expect("after it was emptied", c.run(5), 500, 500)
}

// What nobody uses leaves, here and in Redis, and what a process leaves behind
// goes by itself.
func TestIdleKeysLeave(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	c := newCluster(t, url, 0)
	n := c.nodes[0]
	client := redisOf(t, url)
	n.Count("acme connections").Add(3)
	c.nodes[0].wants = 500
	c.run(1)
	keys := client.Keys(t.Context(), "*acme*").Val()
	for _, key := range keys {
		if left := client.PTTL(t.Context(), key).Val(); left <= 0 {
			t.Errorf("%s stays", key)
		}
	}
	if n.Keys() != 2 {
		t.Errorf("%d keys in use", n.Keys())
	}
	n.Count("acme connections").Add(-3)
	n.wants = 0
	rate := n.rate
	c.run(4)
	if n.Keys() != 0 {
		t.Errorf("%d idle keys", n.Keys())
	}
	if ok, _ := rate.Take(limit, limit, c.now); !ok {
		t.Error("a full bucket was forgotten, and the handle finds none")
	}
	if ok, _ := n.Rate("acme/chat publish_rate").Take(1, limit, c.now); ok {
		t.Error("an old handle and a new one have different buckets")
	}
}

func TestADebtIsNotForgotten(t *testing.T) {
	t.Parallel()
	m := meter.Local()
	rate := m.Rate("acme fanout_bytes")
	rate.Debit(11*limit, limit, start)
	for after := time.Duration(0); after < 9*time.Second; after += meter.Every {
		m.Exchange(t.Context(), at(after))
	}
	if wait := rate.Debit(1, limit, at(9*time.Second)); wait < time.Second {
		t.Errorf("a debt of 10 s is paid after 9: %v", wait)
	}
}

func TestTheURLIsNotShown(t *testing.T) {
	t.Parallel()
	_, err := meter.New(meter.Config{URL: "redis://:hunter2@h:port/0"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error of a bad URL is %v", err)
	}
}

func TestPortionsAreTheLimit(t *testing.T) {
	t.Parallel()
	for _, wants := range [][]int64{{1}, {500, 500}, {1000, 1000, 1000}, {50, 1000}, {50, 1000, 1000}, {10, 20, 30}, {1000, 1, 1, 1}} {
		var sum float64
		for i := range wants {
			others := append(append([]int64{}, wants[:i]...), wants[i+1:]...)
			part := meter.Portion(limit, wants[i], others)
			if equal := float64(limit) / float64(len(wants)); part < min(equal, float64(wants[i]))-1e-6 {
				t.Errorf("of %v, %d gets %.1f", wants, wants[i], part)
			}
			sum += part
		}
		if math.Abs(sum-limit) > 1e-6 {
			t.Errorf("the portions of %v are %.1f", wants, sum)
		}
	}
}

func redisOf(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestSettledTotals(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testenv.Redis(t), 0, 0)
	c.now = time.Now() // Run has a clock of its own
	c.nodes[1].Count("acme connections").Add(5)
	c.exchange()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.nodes[0].Run(ctx) }()
	total := c.nodes[0].Count("acme connections")
	total.Total()
	c.nodes[0].Settle(t.Context())
	if got := total.Total(); got != 5 {
		t.Errorf("the total is %d", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	c.nodes[0].Settle(ctx) // nobody runs it any more
}
