package chaos_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/internal/cluster"
)

// outage is longer than a lease that is not renewed.
const outage = 10 * time.Second

// testOutage: all of NATS is away. Connections stay, nothing is acknowledged
// without the log, and when it is back nothing is lost and nobody is dead.
func (s *stage) testOutage(t *testing.T) {
	var clients []*client
	observer, _ := s.enter(t, 1, door{id: "outage-observer", expiry: week})
	observer.subscribe(t, s.topic("outage/#"), 1)
	for i := range 3 * cluster.Size {
		c, _ := s.enter(t, 1+i%cluster.Size, door{id: fmt.Sprintf("outage-%d", i), expiry: week, will: &packet.Will{
			Topic: s.topic("outage/will"), Payload: fmt.Append(nil, "will ", i), QoS: 1,
		}})
		clients = append(clients, c)
	}
	const messages = 20 // of each, half of them while NATS is away
	for n := range messages / 2 {
		for _, c := range clients {
			c.publish(s.topic("outage/"+c.id), fmt.Sprint(c.id, " ", n), 1, uint16(n+1))
			c.acknowledged(t, 1, uint16(n+1))
		}
	}
	s.do(t, "stop", "nats")
	away := time.Now()
	for n := messages / 2; n < messages; n++ {
		for _, c := range clients {
			c.publish(s.topic("outage/"+c.id), fmt.Sprint(c.id, " ", n), 1, uint16(n+1))
		}
	}
	s.testUnavailable(t)
	for _, c := range clients {
		if !c.open() {
			t.Errorf("%s: its connection does not answer", c.id)
		}
		// What is acknowledged without the log would be, long before it is back.
		if _, ok := c.wait(time.Until(away.Add(outage)), packet.PUBACK); ok {
			t.Errorf("%s: a publish was acknowledged without the log", c.id)
		}
	}
	s.do(t, "start", "nats")
	back := time.Now()
	for _, c := range clients {
		for n := messages / 2; n < messages; n++ {
			c.acknowledged(t, 1, uint16(n+1))
		}
	}
	t.Logf("all was acknowledged %v after NATS was back", time.Since(back).Round(time.Millisecond))
	for _, c := range clients {
		var want []string
		for n := range messages {
			want = append(want, fmt.Sprint(c.id, " ", n))
		}
		of := func() (came []string) {
			for _, payload := range observer.order {
				if strings.HasPrefix(payload, c.id+" ") && !slices.Contains(came, payload) {
					came = append(came, payload)
				}
			}
			return came
		}
		if !observer.until(time.Minute, func() bool { return len(of()) == messages }) || !slices.Equal(of(), want) {
			t.Errorf("of %s came %v", c.id, of())
		}
	}
	s.nobodyDied(t, append(clients, observer), observer)
}

// testUnavailable: the API says so on all nodes, and when to try again.
func (s *stage) testUnavailable(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	for node := range cluster.Size {
		wg.Go(func() {
			status, after, took, err := s.push(t.Context(), node+1)
			t.Logf("node %d answers %d, Retry-After %q, in %v", node+1, status, after, took.Round(time.Millisecond))
			if err != nil || status != http.StatusServiceUnavailable || after == "" {
				t.Errorf("node %d answers %d with Retry-After %q (%v), want 503 and when", node+1, status, after, err)
			}
		})
	}
	wg.Wait()
}

// push publishes by the API of a node.
func (s *stage) push(ctx context.Context, node int) (status int, retryAfter string, took time.Duration, err error) {
	body := strings.NewReader(fmt.Sprintf(`{"topic": %q, "payload": "x", "qos": 1}`, s.topic("outage/api")))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cluster.Direct(node).HTTP+"/v1/apps/"+app+"/publish", body)
	if err != nil {
		return 0, "", 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.account.APIKey)
	asked := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Retry-After"), time.Since(asked), nil
}

// nobodyDied: no node was declared dead because nobody could renew a lease, so
// connections stand for two more periods, and no will came.
func (s *stage) nobodyDied(t *testing.T, all []*client, observer *client) {
	t.Helper()
	limit := time.Now().Add(outage)
	for _, c := range all {
		if c.closed(time.Until(limit)) {
			t.Errorf("%s: its connection was closed: %v", c.id, c.farewell(t))
		}
		if !c.open() {
			t.Errorf("%s: its connection does not answer", c.id)
		}
	}
	observer.mu.Lock()
	defer observer.mu.Unlock()
	for payload := range observer.heard {
		if strings.HasPrefix(payload, "will") {
			t.Errorf("%q was published", payload)
		}
	}
}
