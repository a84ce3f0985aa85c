package jetstream_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func head(t testing.TB, b *jetstream.Bus) uint64 {
	t.Helper()
	type result struct {
		seq uint64
		err error
	}
	c := make(chan result, 1)
	b.Head(0, func(seq uint64, err error) { c <- result{seq, err} })
	select {
	case r := <-c:
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r.seq
	case <-time.After(patience):
		t.Fatal("no head")
		return 0
	}
}

func tryRead(t testing.TB, b *jetstream.Bus, q broker.Query) (broker.Page, error) {
	t.Helper()
	type result struct {
		page broker.Page
		err  error
	}
	c := make(chan result, 1)
	b.Read(q, func(p broker.Page, err error) { c <- result{p, err} })
	select {
	case r := <-c:
		return r.page, r.err
	case <-time.After(patience):
		t.Fatal("no page")
		return broker.Page{}, nil
	}
}

func read(t testing.TB, b *jetstream.Bus, q broker.Query) broker.Page {
	t.Helper()
	p, err := tryRead(t, b, q)
	if err != nil {
		t.Fatalf("read %v: %v", q.Filters, err)
	}
	return p
}

func get(t testing.TB, b *jetstream.Bus, seqs ...uint64) []*broker.Message {
	t.Helper()
	c := make(chan []*broker.Message, 1)
	b.Get(0, seqs, func(messages []*broker.Message, err error) {
		if err != nil {
			t.Error(err)
		}
		c <- messages
	})
	select {
	case m := <-c:
		return m
	case <-time.After(patience):
		t.Fatal("no messages")
		return nil
	}
}

// texts are the payloads of messages, - for none.
func texts(messages []*broker.Message) string {
	var all []string
	for _, m := range messages {
		if m == nil {
			all = append(all, "-")
		} else {
			all = append(all, string(m.Payload))
		}
	}
	return strings.Join(all, " ")
}

// everywhere runs a test with an embedded server and with an external one.
func everywhere(t *testing.T, test func(t *testing.T, b *jetstream.Bus)) {
	t.Run("embedded", func(t *testing.T) { test(t, openAlone(t, jetstream.Config{})) })
	t.Run("batched", func(t *testing.T) { test(t, openAlone(t, jetstream.Config{SyncAlways: true})) })
	t.Run("external", func(t *testing.T) {
		test(t, open(t, jetstream.Config{Node: "node-a", URL: startNATS(t).url()}))
	})
}

func TestRead(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		start := time.Now()
		for _, name := range []string{"acme/a/x", "acme/a", "acme/b/x", "acme/a/$y", "acme/a/x/z", "globex/a/x", "acme/a/x"} {
			publish(t, b, message(1, name, name))
		}
		end := head(t, b)
		for filter, want := range map[string]string{
			"acme/a/x": "acme/a/x acme/a/x", "acme/a/+": "acme/a/x acme/a/$y acme/a/x", "acme/+": "acme/a",
			"acme/a/#": "acme/a/x acme/a acme/a/$y acme/a/x/z acme/a/x", "acme/none": "",
			"acme/+/x": "acme/a/x acme/b/x acme/a/x", "globex/#": "globex/a/x",
		} {
			for _, since := range []time.Time{{}, start} {
				p := read(t, b, broker.Query{Filters: []string{filter}, Since: since, Limit: 10})
				if texts(p.Messages) != want || p.UpTo != end || p.More {
					t.Errorf("%s: %q up to %d, more %v", filter, texts(p.Messages), p.UpTo, p.More)
				}
				for _, m := range p.Messages {
					if m.Topic != string(m.Payload) || m.Position.Seq == 0 || m.QoS != 1 || m.ID.IsZero() {
						t.Errorf("%+v", m)
					}
				}
			}
		}
		p := read(t, b, broker.Query{Filters: []string{"acme/a/#", "acme/b/x", "acme/a/x"}, Limit: 10, After: end - 4})
		if texts(p.Messages) != "acme/a/$y acme/a/x/z acme/a/x" {
			t.Errorf("after %d: %s", end-4, texts(p.Messages))
		}
		if p := read(t, b, broker.Query{Filters: []string{"acme/#"}, After: end + 100}); len(p.Messages) != 0 || p.UpTo > end+100 || p.More {
			t.Errorf("beyond the end: %+v", p)
		}
	})
}

func TestReadByPages(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		for i := range 25 {
			publish(t, b, message(1, "acme/a", fmt.Sprint(i)))
			publish(t, b, message(1, "acme/b", "other"))
		}
		for _, limit := range []int{1, 7, 25, 26} {
			q := broker.Query{Filters: []string{"acme/a"}, Limit: limit}
			var all []*broker.Message
			for more := true; more; {
				p := read(t, b, q)
				if len(p.Messages) > limit || p.More && (len(p.Messages) == 0 || p.UpTo != p.Messages[len(p.Messages)-1].Position.Seq) {
					t.Fatalf("limit %d: %d messages up to %d, more %v", limit, len(p.Messages), p.UpTo, p.More)
				}
				all, q.After, more = append(all, p.Messages...), p.UpTo, p.More
			}
			if len(all) != 25 || !slices.IsSortedFunc(all, func(m, n *broker.Message) int { return int(m.Position.Seq) - int(n.Position.Seq) }) {
				t.Errorf("limit %d: %d messages", limit, len(all))
			}
		}
	})
}

func TestReadOfLargeMessages(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	for range 60 {
		publish(t, b, message(1, "acme/a", strings.Repeat("x", 200<<10)))
	}
	q, n, pages := broker.Query{Filters: []string{"acme/#"}, Limit: 1000}, 0, 0
	for more := true; more; pages++ {
		p := read(t, b, q)
		n, q.After, more = n+len(p.Messages), p.UpTo, p.More
	}
	if n != 60 || pages < 8 || pages > 15 { // of a mebibyte and a message
		t.Errorf("%d messages in %d pages", n, pages)
	}
}

func TestReadOfManyFilters(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	var filters []string
	for i := range 6000 {
		filters = append(filters, fmt.Sprintf("acme/a/%d", i))
		if i%200 == 0 {
			publish(t, b, message(1, filters[i], fmt.Sprint(i)))
		}
	}
	before := b.Stats().Probes
	p := read(t, b, broker.Query{Filters: filters, Limit: 100})
	if len(p.Messages) != 30 || p.More || p.UpTo != head(t, b) || b.Stats().Probes != before+3 {
		t.Errorf("%d messages up to %d, more %v, %d probes", len(p.Messages), p.UpTo, p.More, b.Stats().Probes-before)
	}
	q, n := broker.Query{Filters: filters, Limit: 7}, 0
	for more, last := true, uint64(0); more; {
		p := read(t, b, q)
		for _, m := range p.Messages {
			if m.Position.Seq <= last {
				t.Fatalf("%d after %d", m.Position.Seq, last)
			}
			last = m.Position.Seq
		}
		n, q.After, more = n+len(p.Messages), p.UpTo, p.More
	}
	if n != 30 {
		t.Errorf("%d messages by pages of 7", n)
	}
}

// TestScan reads what more than 1,024 subjects hold, with filters that a
// consumer can have and with some that it can not.
func TestScan(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		acks := newAnswers()
		const n = 3000
		for i := range n {
			if err := b.Publish(message(1, fmt.Sprintf("acme/%d/x", i%3), fmt.Sprint(i)), acks, uint64(i)); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 {
				_ = b.Publish(message(1, "globex/x", "other"), acks, n)
			}
		}
		eventually(t, "published", func() bool { return acks.len() == n+n/100 })
		end := head(t, b)
		for _, filters := range [][]string{
			{"acme/#"}, {"acme/0/x", "acme/1/#", "acme/2/+"}, {"acme/+/x", "acme/1/+"}, {"acme/#", "acme/0/x"},
		} {
			q, got := broker.Query{Filters: filters, Limit: 1000}, 0
			for more := true; more; {
				p := read(t, b, q)
				for _, m := range p.Messages {
					if string(m.Payload) != fmt.Sprint(got) {
						t.Fatalf("%v: %s, want %d", filters, m.Payload, got)
					}
					got++
				}
				q.After, more = p.UpTo, p.More
			}
			if got != n || q.After != end {
				t.Errorf("%v: %d messages up to %d, the end is %d", filters, got, q.After, end)
			}
			if p := read(t, b, broker.Query{Filters: filters, After: end, Limit: 10}); len(p.Messages) != 0 || p.UpTo != end || p.More {
				t.Errorf("%v: at the end: %d messages up to %d", filters, len(p.Messages), p.UpTo)
			}
		}
		if b.Stats().Scans == 0 {
			t.Error("nothing was scanned")
		}
		eventually(t, "consumers gone", func() bool {
			info, err := stream(t, b, 0).Info(t.Context())
			return err == nil && info.State.Consumers == 0
		})
	})
}

func TestReadPassesOver(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	soon := message(1, "acme/a", "expired")
	soon.Expires = time.Now().Add(50 * time.Millisecond).UnixMilli()
	publish(t, b, soon)
	damaged := jetstream.LogSubject(0, ulid.Make(), "acme/a")
	if _, err := b.Trunk().Request(damaged, []byte("nonsense"), patience); err != nil {
		t.Fatal(err)
	}
	publish(t, b, message(1, "acme/a", "good"))
	eventually(t, "expired", func() bool { return soon.Expired(time.Now()) })
	p := read(t, b, broker.Query{Filters: []string{"acme/#"}})
	if texts(p.Messages) != "good" || b.Stats().Damaged != 1 || p.UpTo != head(t, b) {
		t.Errorf("%q up to %d, %+v", texts(p.Messages), p.UpTo, b.Stats())
	}
}

func TestReadRefuses(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	for want, q := range map[string]broker.Query{
		"invalid": {Filters: []string{"+/a"}}, "internal": {Shard: 5, Filters: []string{"acme/a"}},
	} {
		if _, err := tryRead(t, b, q); code(err) != want {
			t.Errorf("%v: %v", q, err)
		}
	}
	if p, err := tryRead(t, b, broker.Query{}); err != nil || len(p.Messages) != 0 || p.UpTo != 0 {
		t.Errorf("without a filter: %+v, %v", p, err)
	}
	_ = b.Close()
	if _, err := tryRead(t, b, broker.Query{Filters: []string{"acme/a"}}); code(err) != "unavailable" {
		t.Errorf("after Close: %v", err)
	}
}

func TestGet(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		var seqs []uint64
		for i := range 300 {
			seqs = append(seqs, publish(t, b, message(1, "acme/a", fmt.Sprint(i))).Seq)
		}
		if err := stream(t, b, 0).DeleteMsg(t.Context(), seqs[1]); err != nil {
			t.Fatal(err)
		}
		if got := texts(get(t, b, seqs[2], seqs[0], seqs[1], 0, 1_000_000, seqs[2])); got != "2 0 - - - 2" {
			t.Errorf("got %s", got)
		}
		all := get(t, b, seqs...)
		for i, m := range all {
			if i != 1 && (m == nil || string(m.Payload) != fmt.Sprint(i) || m.Position.Seq != seqs[i] || m.Topic != "acme/a") {
				t.Fatalf("message %d: %+v", i, m)
			}
		}
		if get(t, b) != nil {
			t.Error("messages without a sequence")
		}
	})
}

func TestReadIsBounded(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	n.stop()
	answers := make(chan error, 20_000)
	overloaded := 0
	for range cap(answers) {
		b.Read(broker.Query{Filters: []string{"acme/a"}}, func(_ broker.Page, err error) { answers <- err })
	}
	for len(answers) > 0 {
		if err := <-answers; errors.Is(err, broker.ErrOverloaded) {
			overloaded++
		} else {
			t.Fatal(err)
		}
	}
	if overloaded < 10_000 {
		t.Errorf("%d overloaded", overloaded)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for range cap(answers) - overloaded {
		if err := <-answers; code(err) != "unavailable" {
			t.Fatal(err)
		}
	}
	n.start()
}

func TestLogHours(t *testing.T) {
	now := time.UnixMilli(1_000*3_600_000 + 1_800_000) // half past
	for since, want := range map[time.Duration]string{
		0: "999 1000 1001 undated", -40 * time.Minute: "998 999 1000 1001 undated",
		-3 * time.Hour: "996 997 998 999 1000 1001 undated",
		-4 * time.Hour: "*", 10 * time.Hour: "*",
	} {
		if got := strings.Join(jetstream.LogHours(now.Add(since), now), " "); got != want {
			t.Errorf("since %v: %s, want %s", since, got, want)
		}
	}
	if got := jetstream.LogHours(time.Time{}, now); got[0] != "*" {
		t.Errorf("since ever: %v", got)
	}
}

// TestReadWhilePublishing follows the log while it grows past what one answer
// holds, by probes and then by scans: nothing is passed over.
func TestReadWhilePublishing(t *testing.T) {
	everywhere(t, func(t *testing.T, b *jetstream.Bus) {
		const n = 2500
		acks := newAnswers()
		go func() {
			for i := range n {
				_ = b.Publish(message(1, fmt.Sprintf("acme/a/%d", i%3), fmt.Sprint(i)), acks, uint64(i))
				_ = b.Publish(message(1, "acme/b", "other"), nil, 0)
				if i%50 == 0 {
					<-time.After(time.Millisecond)
				}
			}
		}()
		q, got := broker.Query{Filters: []string{"acme/a/+"}, Limit: 300}, 0
		for got < n {
			p := read(t, b, q)
			for _, m := range p.Messages {
				if string(m.Payload) != fmt.Sprint(got) {
					t.Fatalf("%s, want %d", m.Payload, got)
				}
				got++
			}
			q.After = p.UpTo
		}
		if s := b.Stats(); s.Scans == 0 || s.Scans == s.Reads {
			t.Errorf("%d scans of %d reads", s.Scans, s.Reads)
		}
	})
}
