package chaos_test

import (
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/internal/cluster"
	"github.com/fanfare-mq/fanfare/internal/enroll"
)

// stage is a cluster with one tenant.
type stage struct {
	cluster *cluster.Cluster
	account enroll.Account
}

// The tenant of the stage.
const organization, app = "dead", "load"

func (s *stage) username() string { return organization + "/" + app }

// topic is one of the tenant's.
func (s *stage) topic(rest string) string { return organization + "/" + app + "/" + rest }

// TestDead is what dying, hanging and contradicting nodes leave to the others.
// The parts share one cluster, which each leaves as it has found it.
func TestDead(t *testing.T) {
	s := &stage{cluster: start(t, false)}
	var err error
	if s.account, err = enroll.App(t.Context(), s.cluster.Direct(1).HTTP, organization, app); err != nil {
		t.Fatal(err)
	}
	t.Run("handover", s.testHandover)
	t.Run("record", s.testRecord)
	t.Run("contest", s.testContest)
	t.Run("wills", s.testWills)
	t.Run("pause", s.testPause)
	t.Run("outage", s.testOutage)
}

// do does something to a part of the cluster.
func (s *stage) do(t *testing.T, verb, part string) {
	t.Helper()
	if err := s.cluster.Do(t.Context(), verb, part); err != nil {
		t.Fatal(err)
	}
}

// bucket opens one of the buckets that the nodes share.
func (s *stage) bucket(t *testing.T, name string) jetstream.KeyValue {
	t.Helper()
	nc, err := nats.Connect(s.cluster.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// keys are those of a bucket's entries.
func keys(t *testing.T, kv jetstream.KeyValue) []string {
	t.Helper()
	lister, err := kv.ListKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for key := range lister.Keys() {
		all = append(all, key)
	}
	return all
}

// said counts the lines of a node's log that have all of the words.
func (s *stage) said(t *testing.T, part string, words ...string) (n int) {
	t.Helper()
	data, err := os.ReadFile(s.cluster.Part(part).Log())
	if err != nil {
		t.Fatal(err)
	}
next:
	for line := range strings.Lines(string(data)) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		n++
	}
	return n
}
