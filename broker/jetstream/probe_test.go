package jetstream_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// TestReadInspectsTheAnswer has a false stream answer: a page tells no more
// than an answer that is whole. See rule 1.
func TestReadInspectsTheAnswer(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	s := stream(t, b, 0)
	config := s.CachedInfo().Config
	config.AllowDirect = false // the stream itself is silent from now on
	js := jetstream.JetStreamOf(b)
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	tell := func(answers ...[]*nats.Msg) {
		i := 0
		sub, err := b.Side().Subscribe("$JS.API.DIRECT.GET.LOG_0", func(m *nats.Msg) {
			for _, part := range answers[min(i, len(answers)-1)] {
				part.Subject = m.Reply
				_ = b.Side().PublishMsg(part)
			}
			i++
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sub.Unsubscribe() })
		eventually(t, "served", func() bool { return b.Side().FlushTimeout(patience) == nil })
	}
	logged := func(seq, before uint64, text string) *nats.Msg {
		return &nats.Msg{Header: nats.Header{
			"Nats-Subject": {jetstream.LogSubject(0, ulid.Make(), "acme/a")}, "Nats-Sequence": {fmt.Sprint(seq)}, "Nats-Last-Sequence": {fmt.Sprint(before)},
		}, Data: jetstream.AppendEnvelope(nil, message(1, "", text))}
	}
	end := func(last, pending, upTo uint64) *nats.Msg {
		return &nats.Msg{Header: nats.Header{
			"Status": {"204"}, "Nats-Last-Sequence": {fmt.Sprint(last)}, "Nats-Num-Pending": {fmt.Sprint(pending)}, "Nats-UpTo-Sequence": {fmt.Sprint(upTo)},
		}}
	}
	none := &nats.Msg{Header: nats.Header{"Status": {"404"}, "Description": {"No Results"}}}
	tell(
		[]*nats.Msg{logged(5, 0, "5"), logged(9, 7, "9"), end(9, 0, 100)},  // 7 is missing
		[]*nats.Msg{logged(7, 0, "7"), logged(9, 7, "9"), end(11, 0, 100)}, // 11 is missing
		[]*nats.Msg{none}, // a replica that knows nothing
		[]*nats.Msg{logged(11, 0, "11"), end(11, 1, 100)}, // there is more
		[]*nats.Msg{logged(13, 0, "13"), end(13, 0, 50)},
	)
	p := read(t, b, broker.Query{Filters: []string{"acme/a"}, After: 4, Limit: 10})
	if texts(p.Messages) != "5 7 9 11 13" || p.UpTo != 50 || p.More {
		t.Errorf("%s up to %d, more %v", texts(p.Messages), p.UpTo, p.More)
	}
	if n := b.Stats().ProbesBroken; n != 3 {
		t.Errorf("%d broken answers", n)
	}
}

// BenchmarkStorm has 1,000 sessions read at once that a probe cannot serve, by
// pages as small as a session's. The first kind has nearly read all of a common
// topic that matches very often, the second has much of its own.
func BenchmarkStorm(b *testing.B) {
	bus := openAlone(b, jetstream.Config{})
	const sessions, each, news = 1_000, 1_100, 400_000
	const text = "0123456789012345678901234567890123456789"
	fill(b, bus, news, func(int) *broker.Message { return message(1, "acme/news/x", text) })
	fill(b, bus, sessions*each, func(i int) *broker.Message { return message(1, fmt.Sprintf("acme/own/%d/x", i%sessions), text) })
	fill(b, bus, sessions, func(i int) *broker.Message { return message(1, fmt.Sprintf("acme/few/%d/x", i), text) })
	end := head(b, bus)
	run := func(name string, after uint64, want int, filters func(i int) []string) {
		b.Run(name, func(b *testing.B) {
			before := bus.Stats()
			for b.Loop() {
				var all sync.WaitGroup
				for i := range sessions {
					all.Go(func() {
						if got := catchUpBy(b, bus, 64, after, filters(i)...); got != want {
							b.Errorf("%d messages, want %d", got, want)
						}
					})
				}
				all.Wait()
			}
			s := bus.Stats()
			b.ReportMetric(float64(s.Probes-before.Probes)/float64(b.N), "probes")
			b.ReportMetric(float64(s.Passes-before.Passes)/float64(b.N), "passes")
		})
	}
	run("a common topic", end-3*sessions, 1, func(i int) []string { return []string{"acme/news/#", fmt.Sprintf("acme/few/%d/#", i)} })
	run("topics of their own", 0, each, func(i int) []string { return []string{fmt.Sprintf("acme/own/%d/#", i)} })
}

// catchUpBy reads by pages of the same size.
func catchUpBy(t testing.TB, bus *jetstream.Bus, page int, after uint64, filters ...string) (got int) {
	q := broker.Query{Filters: filters, Limit: page, After: after}
	for more := true; more; {
		p, err := tryRead(t, bus, q)
		if err != nil {
			t.Error(err)
			return got
		}
		got, q.After, more = got+len(p.Messages), p.UpTo, p.More
	}
	return got
}
