package jetstream_test

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// startCluster starts three NATS servers that replicate to each other.
func startCluster(t testing.TB) []*server.Server {
	t.Helper()
	var ports []int
	var routes []*url.URL
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, &url.URL{Scheme: "nats", Host: l.Addr().String()})
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		_ = l.Close()
	}
	var servers []*server.Server
	for i, port := range ports {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
			Routes:  slices.Clone(routes), JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		s.Start()
		servers = append(servers, s)
	}
	for _, s := range servers {
		if !s.ReadyForConnections(patience) {
			t.Fatal("NATS did not start")
		}
	}
	eventually(t, "a leader of the cluster", func() bool {
		return slices.ContainsFunc(servers, (*server.Server).JetStreamIsLeader) &&
			!slices.ContainsFunc(servers, func(s *server.Server) bool { return len(s.JetStreamClusterPeers()) < 3 && s.JetStreamIsLeader() })
	})
	return servers
}

// TestReplicas reads on one node what the other publishes to streams of three
// replicas, while their leader stops: nothing that was acknowledged is missing
// below UpTo, and a retained message is there once it was acknowledged.
func TestReplicas(t *testing.T) {
	servers := startCluster(t)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	cfg := jetstream.Config{URL: strings.Join(urls, ","), Shards: 1, Replicas: 3}
	cfg.Node = "node-a"
	a := open(t, cfg)
	cfg.Node = "node-b"
	b := open(t, cfg)
	acked := make(map[uint64]string)
	check := func() {
		t.Helper()
		end := head(t, b)
		var after uint64
		got := make(map[uint64]string)
		for after < end {
			p, err := tryRead(t, b, broker.Query{Filters: []string{"acme/log/#"}, After: after, Limit: 50})
			if err != nil {
				continue // an election
			}
			for _, m := range p.Messages {
				got[m.Position.Seq] = string(m.Payload)
			}
			after = p.UpTo
		}
		for seq, text := range acked {
			if got[seq] != text {
				t.Fatalf("at %d: %q, want %q", seq, got[seq], text)
			}
		}
	}
	some := func(from int) {
		t.Helper()
		for i := from; i < from+100; i++ {
			p := publish(t, a, message(1, fmt.Sprintf("acme/log/%d", i%7), fmt.Sprint(i)))
			acked[p.Seq] = fmt.Sprint(i)
			if i%5 == 0 {
				publish(t, a, retained(1, "acme/state", fmt.Sprint(i)))
				if now := texts(keptNow(t, b, "acme/state", 1)); now != fmt.Sprint(i) {
					t.Fatalf("kept %s, acknowledged %d", now, i)
				}
			}
		}
		check()
	}
	some(0)
	var seqs []uint64
	for seq := range acked {
		seqs = append(seqs, seq)
	}
	for i, m := range get(t, b, seqs...) {
		if m == nil || string(m.Payload) != acked[seqs[i]] {
			t.Errorf("at %d: %+v", seqs[i], m)
		}
	}
	leader := stream(t, a, 0).CachedInfo().Cluster.Leader
	for _, s := range servers {
		if s.Name() == leader {
			s.Shutdown()
		}
	}
	eventually(t, "another leader", func() bool {
		return a.Ready(t.Context()) == nil && b.Ready(t.Context()) == nil
	})
	some(100)
}

// TestReplicaBehind has a false replica answer: one that is behind the leader
// does not count for retained messages, and what it does not have is not gone.
func TestReplicaBehind(t *testing.T) {
	b := open(t, jetstream.Config{Node: "node-a", URL: startNATS(t).url()})
	jetstream.SetReplicated(b)
	publish(t, b, retained(1, "acme/a", "old"))
	publish(t, b, retained(1, "acme/a", "new"))
	p := publish(t, b, message(1, "acme/b", "there"))
	var behind atomic.Int32
	answer := func(name string, parts ...*nats.Msg) {
		t.Helper()
		s := streamNamed(t, b, name)
		config := s.CachedInfo().Config
		config.AllowDirect = false // the stream itself is silent from now on
		if _, err := jetstream.JetStreamOf(b).UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		var sub *nats.Subscription
		sub, err := b.Side().Subscribe("$JS.API.DIRECT.GET."+name, func(m *nats.Msg) {
			count := behind.Add(1)
			for _, part := range parts {
				part.Subject = m.Reply
				_ = b.Side().PublishMsg(part)
			}
			if count == 3 { // the replica catches up
				_ = sub.Unsubscribe()
				config.AllowDirect = true
				if _, err := jetstream.JetStreamOf(b).UpdateStream(t.Context(), config); err != nil {
					t.Error(err)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	old := retained(1, "", "old")
	answer("RETAINED",
		&nats.Msg{Data: jetstream.AppendEnvelope(nil, old), Header: nats.Header{
			"Nats-Subject": {"retained.acme.a"}, "Nats-Sequence": {"2"}, "Nats-Last-Sequence": {"0"},
		}},
		&nats.Msg{Header: nats.Header{
			"Status": {"204"}, "Nats-Last-Sequence": {"2"}, "Nats-Num-Pending": {"0"}, "Nats-UpTo-Sequence": {"2"},
		}})
	if got := texts(keptNow(t, b, "acme/a", 1)); got != "new" || behind.Load() != 3 {
		t.Errorf("kept %s after %d answers", got, behind.Load())
	}
	behind.Store(0)
	answer("LOG_0", &nats.Msg{Header: nats.Header{"Status": {"404"}, "Description": {"Message Not Found"}}})
	if got := texts(get(t, b, p.Seq, p.Seq+1)); got != "there -" {
		t.Errorf("got %s", got)
	}
}
