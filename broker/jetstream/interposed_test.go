package jetstream_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// interposed is a NATS server without JetStream on which a test answers itself.
func interposed(t testing.TB) (conn *nats.Conn) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS did not start")
	}
	if conn, err = nats.Connect(s.ClientURL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// logAnswer is one message of an answer to a probe.
type logAnswer struct {
	seq, last, pending, upTo int
	status                   string // empty: the message at seq
	sentinel                 bool
}

func (a logAnswer) to(reply string, shard int) *nats.Msg {
	m := nats.NewMsg(reply)
	m.Header.Set("Nats-Last-Sequence", strconv.Itoa(a.last))
	m.Header.Set("Nats-Num-Pending", strconv.Itoa(a.pending))
	switch {
	case a.status != "":
		code, text, _ := strings.Cut(a.status, " ")
		m.Header.Set("Status", code)
		m.Header.Set("Description", text)
		m.Header.Set("Nats-UpTo-Sequence", strconv.Itoa(a.upTo))
		return m
	case a.sentinel:
		m.Header.Set("Nats-Subject", fmt.Sprintf("log.%d.sentinel", shard))
	default:
		m.Header.Set("Nats-Subject", jetstream.LogSubject(shard, ulid.Make(), "acme/a"))
		m.Data = jetstream.AppendEnvelope(nil, message(1, "acme/a", strconv.Itoa(a.seq)))
	}
	m.Header.Set("Nats-Sequence", strconv.Itoa(a.seq))
	return m
}

// asked is what a probe asks.
type asked struct {
	Seq       uint64   `json:"seq"`
	MultiLast []string `json:"multi_last"`
}

// script answers the probes of a shard one after the other, and remembers them.
type script struct {
	mu      sync.Mutex
	answers [][]logAnswer
	asked   []asked
}

func (s *script) play(t testing.TB, conn *nats.Conn, shard int) {
	t.Helper()
	_, err := conn.Subscribe("$JS.API.DIRECT.GET."+jetstream.StreamName(shard), func(m *nats.Msg) {
		var q asked
		if err := json.Unmarshal(m.Data, &q); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.asked = append(s.asked, q); len(s.answers) == 0 {
			return
		}
		for _, a := range s.answers[0] {
			_ = conn.PublishMsg(a.to(m.Reply, shard))
		}
		s.answers = s.answers[1:]
	})
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *script) questions() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// TestProbeCounts has a replica answer as it may: nothing is passed over, and
// nothing that it did not say is believed. The real log ends elsewhere.
func TestProbeCounts(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	for range 50 {
		publish(t, b, message(1, "acme/b", "other"))
	}
	sentinel := logAnswer{seq: 1, sentinel: true}
	for name, c := range map[string]struct {
		answers [][]logAnswer
		seqs    string // where the questions begin
		want    string
	}{
		"whole": {[][]logAnswer{
			{sentinel, {seq: 5, last: 1}, {seq: 9, last: 5}, {status: "204 EOB", last: 9, upTo: 10}},
		}, "1", "5 9"},
		"truncated, with the full head": {[][]logAnswer{
			{sentinel, {seq: 5, last: 1, pending: 2}, {status: "204 EOB", last: 5, pending: 2, upTo: 10}},
			{{seq: 7}, {seq: 9, last: 7}, {status: "204 EOB", last: 9, upTo: 10}},
		}, "1 6", "5 7 9"},
		"a message is lost": {[][]logAnswer{
			{sentinel, {seq: 5, last: 1}, {seq: 9, last: 7}, {status: "204 EOB", last: 9, upTo: 10}},
			{{seq: 7}, {seq: 9, last: 7}, {status: "204 EOB", last: 9, upTo: 10}},
		}, "1 6", "5 7 9"},
		"two messages change places": {[][]logAnswer{
			{sentinel, {seq: 9, last: 5}, {seq: 5, last: 1}, {status: "204 EOB", last: 1, upTo: 10}},
			{sentinel, {seq: 5, last: 1}, {seq: 9, last: 5}, {status: "204 EOB", last: 9, upTo: 10}},
		}, "1 2", "5 9"},
		"the last message is lost": {[][]logAnswer{
			{sentinel, {seq: 5, last: 1}, {status: "204 EOB", last: 9, upTo: 10}},
			{{seq: 9}, {status: "204 EOB", last: 9, upTo: 10}},
		}, "1 6", "5 9"},
		"the first message is lost": {[][]logAnswer{
			{{seq: 5, last: 1}, {status: "204 EOB", last: 5, upTo: 10}},
			{sentinel, {seq: 5, last: 1}, {status: "204 EOB", last: 5, upTo: 10}},
		}, "1 1", "5"},
		"a bare 404": {[][]logAnswer{
			{{status: "404 No Results", upTo: 10}},
			{sentinel, {seq: 5, last: 1}, {status: "204 EOB", last: 5, upTo: 10}},
		}, "1 1", "5"},
		"a message cannot be loaded": {[][]logAnswer{
			{sentinel, {seq: 5, last: 1}, {status: "404 Message Not Found", upTo: 10}},
			{{seq: 9}, {status: "204 EOB", last: 9, upTo: 10}},
		}, "1 6", "5 9"},
		"nothing but the sentinel": {[][]logAnswer{
			{sentinel, {status: "204 EOB", last: 1, upTo: 10}},
		}, "1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, s := interposed(t), &script{answers: c.answers}
			s.play(t, conn, 0)
			var page broker.Page
			err := jetstream.ReadBy(b, conn, broker.Query{Filters: []string{"acme/a"}, Limit: 10}, func(p broker.Page, err error) {
				page = p
				if err != nil {
					t.Error(err)
				}
			})
			if err != nil || texts(page.Messages) != c.want || page.UpTo != 10 || page.More {
				t.Errorf("%q up to %d, more %v, %v", texts(page.Messages), page.UpTo, page.More, err)
			}
			var seqs []string
			for _, q := range s.questions() {
				seqs = append(seqs, fmt.Sprint(q.Seq))
				if !slices.Contains(q.MultiLast, "log.0.sentinel") {
					t.Errorf("asked without the sentinel: %v", q.MultiLast)
				}
			}
			if got := strings.Join(seqs, " "); got != c.seqs {
				t.Errorf("asked from %s, want %s", got, c.seqs)
			}
		})
	}
}

// TestSlowProbesGiveWay has a server that answers no probe: the log is read by
// scans, at once while somebody still waits for a probe.
func TestSlowProbesGiveWay(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	publish(t, b, message(1, "acme/a", "here"))
	conn, s := interposed(t), new(script)
	s.play(t, conn, 0)
	answered := make(chan string, 3)
	read := func(name string) {
		err := jetstream.ReadBy(b, conn, broker.Query{Filters: []string{"acme/a"}, Limit: 10}, func(p broker.Page, err error) {
			answered <- fmt.Sprint(name, ": ", texts(p.Messages), " ", err)
		})
		if err != nil {
			t.Error(err)
		}
	}
	next := func(want string) {
		t.Helper()
		select {
		case got := <-answered:
			if got != want+": here <nil>" {
				t.Errorf("got %s", got)
			}
		case <-time.After(patience):
			t.Fatalf("no answer to the %s", want)
		}
	}
	read("first") // nobody knows yet that it is slow
	next("first")
	var second sync.WaitGroup
	second.Go(func() { read("second") })
	eventually(t, "the second's question", func() bool { return len(s.questions()) == 2 })
	read("third")
	next("third") // before the second
	second.Wait()
	next("second")
	if n := len(s.questions()); n != 2 {
		t.Errorf("%d questions", n)
	}
}
