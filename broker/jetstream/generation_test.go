package jetstream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func starts(all []broker.Generation) string {
	var s []string
	for i, g := range all {
		if i > 0 && g.Number <= all[i-1].Number {
			return fmt.Sprintf("the numbers do not rise: %v", all)
		}
		s = append(s, fmt.Sprint(g.Start))
	}
	return strings.Join(s, " ")
}

// TestGenerationsAlone begins one at every start, before anything is appended.
func TestGenerationsAlone(t *testing.T) {
	cfg := jetstream.Config{Dir: t.TempDir()}
	b := openAlone(t, cfg)
	if g := b.Generations(0); starts(g) != "2" || g[0].Number < uint64(time.Now().Add(-time.Minute).UnixMilli()) {
		t.Errorf("got %v", g) // the sentinel is 1
	}
	if b.Generations(1) != nil {
		t.Error("generations of a shard that is not there")
	}
	first := b.Generations(0)[0]
	publish(t, b, message(1, "acme/a", "x"))
	publish(t, b, message(1, "acme/a", "y"))
	for range 3 { // nothing is appended between: they are one
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = openAlone(t, cfg)
		g := b.Generations(0)
		if starts(g) != "2 4" || g[0] != first {
			t.Errorf("got %v", g)
		}
	}
}

// TestGenerationsOfACluster begins one where the log has less than it had, or
// is another.
func TestGenerationsOfACluster(t *testing.T) {
	cfg := jetstream.Config{Node: "node-a", URL: startNATS(t).url()}
	restart := func(b *jetstream.Bus, between func(natsjs.JetStream)) *jetstream.Bus {
		t.Helper()
		if between != nil {
			between(jetstream.JetStreamOf(b))
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		return open(t, cfg)
	}
	b := open(t, cfg)
	for range 9 {
		publish(t, b, message(1, "acme/a", "x"))
	}
	b = restart(b, nil)
	if g := starts(b.Generations(0)) + "; " + starts(b.Generations(1)); g != "2; 2" {
		t.Errorf("an ordinary start: %s", g)
	}
	const ten = `{"v":1,"created":%q,"reached":20,"generations":[{"number":5,"start":2},{"number":9,"start":12}]}`
	b = restart(b, func(js natsjs.JetStream) { // as if the last ten had been lost in a restore
		s, err := js.Stream(t.Context(), "LOG_0")
		if err != nil {
			t.Fatal(err)
		}
		created := s.CachedInfo().Created.Format(time.RFC3339Nano)
		if _, err := js.Publish(t.Context(), "$KV.META.generation.0", fmt.Appendf(nil, ten, created)); err != nil {
			t.Fatal(err)
		}
	})
	if g := b.Generations(0); starts(g) != "2 11" || g[0].Number != 5 {
		t.Errorf("after a restore: %v", g)
	}
	b = restart(b, func(js natsjs.JetStream) {
		if err := js.DeleteStream(t.Context(), "LOG_0"); err != nil {
			t.Fatal(err)
		}
	})
	if g := starts(b.Generations(0)) + "; " + starts(b.Generations(1)); g != "2; 2" {
		t.Errorf("another stream: %s", g)
	}
	if g := b.Generations(0); g[0].Number < uint64(time.Now().Add(-time.Minute).UnixMilli()) {
		t.Errorf("another stream: %v", g)
	}
}

// TestReachedIsNoted closes a node, whose appends the next one must miss if
// they are gone.
func TestReachedIsNoted(t *testing.T) {
	cfg := jetstream.Config{Node: "node-a", URL: startNATS(t).url()}
	b := open(t, cfg)
	p := publish(t, b, message(1, "acme/a", "x"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, cfg)
	m, err := streamNamed(t, b, "KV_META").GetLastMsgForSubject(t.Context(), "$KV.META.generation.0")
	if err != nil || !strings.Contains(string(m.Data), fmt.Sprintf(`"reached":%d,`, p.Seq)) {
		t.Errorf("got %s, %v", m.Data, err)
	}
}

func TestGenerationsOfAnotherVersion(t *testing.T) {
	cfg := jetstream.Config{Node: "node-a", URL: startNATS(t).url()}
	b := open(t, cfg)
	if _, err := jetstream.JetStreamOf(b).Publish(t.Context(), "$KV.META.generation.1", []byte(`{"v":2}`)); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tryOpen(t, cfg); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("got %v", err)
	}
}

// TestManyGenerations bounds the list and cuts no less than the whole would.
func TestManyGenerations(t *testing.T) {
	l := jetstream.NewLineage()
	for i := range uint64(500) {
		l.Begin(100 + 10*i)
	}
	all := l.Generations()
	if len(all) != 128 || all[0].Start != 101 || all[127].Start != 100+10*499+1 {
		t.Errorf("%d, from %v to %v", len(all), all[0], all[len(all)-1])
	}
	l.Begin(150) // most is lost
	if all = l.Generations(); len(all) != 2 || all[0].Start != 101 || all[1].Start != 151 {
		t.Errorf("got %v", all)
	}
}
