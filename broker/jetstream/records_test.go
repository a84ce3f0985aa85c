package jetstream_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// result is what a call of the store came to.
type result[T any] struct {
	value T
	err   error
}

// await calls f and waits for what its function is called with.
func await[T any](t testing.TB, f func(fn func(T, error))) (T, error) {
	t.Helper()
	answered := make(chan result[T], 1)
	f(func(v T, err error) { answered <- result[T]{v, err} })
	select {
	case r := <-answered:
		return r.value, r.err
	case <-time.After(patience):
		t.Fatal("no answer")
		panic("unreachable")
	}
}

// awaitErr is await for what has nothing but an error to tell.
func awaitErr(t testing.TB, f func(fn func(error))) error {
	t.Helper()
	_, err := await(t, func(fn func(struct{}, error)) { f(func(err error) { fn(struct{}{}, err) }) })
	return err
}

func load(t testing.TB, b *jetstream.Bus, key string) broker.Stored {
	t.Helper()
	s, err := await(t, func(fn func(broker.Stored, error)) { b.Load(key, fn) })
	if err != nil {
		t.Fatalf("load %q: %v", key, err)
	}
	return s
}

func trySave(t testing.TB, b *jetstream.Bus, key string, r *broker.Record, revision uint64) (uint64, error) {
	t.Helper()
	return await(t, func(fn func(uint64, error)) { b.Save(key, r, revision, fn) })
}

func save(t testing.TB, b *jetstream.Bus, key string, r *broker.Record, revision uint64) uint64 {
	t.Helper()
	now, err := trySave(t, b, key, r, revision)
	if err != nil || now <= revision {
		t.Fatalf("save %q at %d: %d, %v", key, revision, now, err)
	}
	return now
}

func erase(t testing.TB, b *jetstream.Bus, key string, revision uint64) error {
	t.Helper()
	return awaitErr(t, func(fn func(error)) { b.Erase(key, revision, fn) })
}

// richRecord has something in every field.
func richRecord() *broker.Record {
	return &broker.Record{
		Owner: "instance1", Epoch: 7, Generation: 1_700_000_000_000, Expiry: time.Hour,
		Subscriptions: []broker.Subscription{
			{Filter: "acme/chat/#", QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2, ID: 268_435_455, Start: 41},
			{Filter: "$share/g/acme/+/x", QoS: 1, RetainHandling: 1},
		},
		Floor: 1000, FloorTime: time.UnixMilli(1_700_000_000_123), Acked: []uint64{1001, 1002, 5000, 1 << 40},
		Inflight: []broker.Flight{
			{PacketID: 65535, Seq: 1003, QoS: 2, Released: true}, {PacketID: 1, Seq: 1004, QoS: 1, Retain: true, Group: "$share/g/acme/+/x"},
		},
		LastPacketID: 65535, Received: []uint16{3, 65535},
		Publishing: []broker.Publishing{{PacketID: 9, ID: ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV")}},
		Truncated:  time.UnixMilli(1_700_000_000_001),
		Willed:     true,
		Fresh:      true,
	}
}

func TestRecords(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	for _, key := range []string{
		"acme/chat/ana/phone", "acme/chat/ana/", "acme/chat/ana/a//b/", "acme/chat/$u/$x.*>% \t\x01\x7f\uFFFDé",
		"acme/chat/ana/" + strings.Repeat("%", 5000), "acme/chat/" + strings.Repeat("u", 5000) + "/x",
	} {
		if s := load(t, b, key); s.Record != nil || s.Revision != 0 {
			t.Errorf("%.40q: %+v", key, s)
		}
		want := richRecord()
		first := save(t, b, key, want, 0)
		s := load(t, b, key)
		if s.Revision != first || !reflect.DeepEqual(s.Record, want) {
			t.Errorf("%.40q: got  %+v\nwant %+v", key, s.Record, want)
		}
		if _, err := trySave(t, b, key, want, 0); !errors.Is(err, broker.ErrConflict) {
			t.Errorf("a second first one: %v", err)
		}
		second := save(t, b, key, &broker.Record{Owner: "other", Epoch: 8}, first)
		if err := erase(t, b, key, first); !errors.Is(err, broker.ErrConflict) {
			t.Errorf("erased what is newer: %v", err)
		}
		if _, err := trySave(t, b, key, want, first); !errors.Is(err, broker.ErrConflict) {
			t.Errorf("replaced what is newer: %v", err)
		}
		if s := load(t, b, key); s.Revision != second || s.Record.Epoch != 8 {
			t.Errorf("%.40q: %+v", key, s)
		}
		if err := erase(t, b, key, second); err != nil {
			t.Errorf("erase: %v", err)
		}
		s = load(t, b, key)
		if s.Record != nil || s.Revision <= second {
			t.Errorf("erased: %+v", s)
		}
		if err := erase(t, b, key, second); err != nil {
			t.Errorf("erased twice: %v", err)
		}
		save(t, b, key, want, load(t, b, key).Revision)
	}
}

func TestRecordSubjects(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	save(t, b, "acme/chat/ana/phone.1", &broker.Record{Owner: "i1"}, 0)
	save(t, b, "acme/chat/bob/"+strings.Repeat("x", 4000), &broker.Record{Owner: "i1", Expires: time.Now().Add(time.Hour)}, 0)
	s := streamNamed(t, b, "KV_SESSIONS")
	m, err := s.GetLastMsgForSubject(t.Context(), "$KV.SESSIONS.acme.chat.ana.phone%2E1")
	if err != nil || m.Header.Get("Fanfare-Owner") != "i1" || m.Header.Get("Nats-TTL") != "" {
		t.Errorf("got %+v, %v", m, err)
	}
	m, err = s.GetLastMsgForSubject(t.Context(), "$KV.SESSIONS.acme.chat.%~.*")
	if err != nil || len(m.Subject) > 120 || m.Header.Get("Fanfare-Owner") != "" || m.Header.Get("Nats-TTL") != "3630" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	js := jetstream.JetStreamOf(b)
	good := jetstream.AppendRecord(nil, "acme/chat/ana/x", richRecord())
	for name, data := range map[string][]byte{
		"newer":      append([]byte{2}, good[1:]...),
		"empty":      {},
		"cut":        good[:len(good)-1],
		"longer":     append(slices.Clip(good), 0),
		"another's":  jetstream.AppendRecord(nil, "acme/chat/ana/y", richRecord()),
		"no version": {0},
	} {
		ack, err := js.Publish(t.Context(), "$KV.SESSIONS.acme.chat.ana.x", data)
		if err != nil {
			t.Fatal(err)
		}
		s, err := await(t, func(fn func(broker.Stored, error)) { b.Load("acme/chat/ana/x", fn) })
		if !errors.Is(err, broker.ErrRecord) || s.Record != nil || s.Revision != ack.Sequence {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if n := b.Stats().Damaged; n != 6 {
		t.Errorf("%d damaged", n)
	}
}

func TestRecordsExpire(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	key := "acme/chat/ana/phone"
	r := &broker.Record{Owner: "i1", Expires: time.Now().Add(1100*time.Millisecond - jetstream.RecordMargin)}
	first := save(t, b, key, r, 0)
	eventually(t, "the record ends", func() bool { return load(t, b, key).Record == nil })
	if _, err := trySave(t, b, key, r, first); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("got %v", err)
	}
	save(t, b, key, &broker.Record{Owner: "i2", Expires: time.Unix(1<<40, 0)}, load(t, b, key).Revision)
}

// swallow makes the store's bucket lose the answers to writes until it is told
// to stop: the writes are stored.
func swallow(t testing.TB, b *jetstream.Bus, bucket string) (stop func()) {
	t.Helper()
	s := streamNamed(t, b, "KV_"+bucket)
	config := s.CachedInfo().Config
	silent := config
	silent.NoAck = true
	set := func(c natsjs.StreamConfig) {
		t.Helper()
		if _, err := jetstream.JetStreamOf(b).UpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	set(silent)
	return func() { set(config) }
}

// TestLostAnswer has the answers of writes lost, and finds out what became of
// them.
func TestLostAnswer(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	jetstream.SetAnswerPatience(b, 100*time.Millisecond)
	key := "acme/chat/ana/phone"
	stop := swallow(t, b, "SESSIONS")
	first := save(t, b, key, &broker.Record{Epoch: 1}, 0)
	second := save(t, b, key, &broker.Record{Epoch: 2}, first)
	if n := streamNamed(t, b, "KV_SESSIONS").CachedInfo().State.LastSeq; n != second || second != first+1 {
		t.Errorf("written %d times, at %d and %d", n, first, second)
	}
	if err := erase(t, b, key, second); err != nil || load(t, b, key).Record != nil {
		t.Errorf("erase: %v", err)
	}
	stop()
}

// TestUnknownOutcome has a write that was stored given up unanswered: writing
// again with what is known replaces it.
func TestUnknownOutcome(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	key := "acme/chat/ana/phone"
	first := save(t, b, key, &broker.Record{Epoch: 1}, 0)
	stop := jetstream.LoseAnswers(b) // all of them
	if _, err := trySave(t, b, key, &broker.Record{Epoch: 2}, first); !errors.Is(err, broker.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if _, err := trySave(t, b, key, &broker.Record{Epoch: 3}, first); !errors.Is(err, broker.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	stop()
	if s := load(t, b, key); s.Record.Epoch != 2 {
		t.Fatalf("stored %+v", s.Record)
	}
	last := save(t, b, key, &broker.Record{Epoch: 4}, first)
	if _, err := trySave(t, b, key, &broker.Record{Epoch: 5}, first); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("what is settled counts as unknown: %v", err)
	}
	stop = jetstream.LoseAnswers(b)
	if _, err := trySave(t, b, key, &broker.Record{Epoch: 6}, last); !errors.Is(err, broker.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	stop()
	if err := erase(t, b, key, last); err != nil || load(t, b, key).Record != nil {
		t.Errorf("erase: %v", err)
	}
}

// TestUnknownOutcomeAndSomebodyElse is the same when another node has written
// after that.
func TestUnknownOutcomeAndSomebodyElse(t *testing.T) {
	b, other := pair(t, startNATS(t).url())
	key := "acme/chat/ana/phone"
	first := save(t, b, key, &broker.Record{Epoch: 1}, 0)
	stop := jetstream.LoseAnswers(b)
	if _, err := trySave(t, b, key, &broker.Record{Epoch: 2}, first); !errors.Is(err, broker.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	stop()
	save(t, other, key, &broker.Record{Epoch: 3}, load(t, other, key).Revision)
	if _, err := trySave(t, b, key, &broker.Record{Epoch: 2}, first); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if s := load(t, b, key); s.Record.Epoch != 3 {
		t.Errorf("stored %+v", s.Record)
	}
}

func TestStoreOutage(t *testing.T) {
	n := startNATS(t)
	b := open(t, jetstream.Config{Node: "node-a", URL: n.url()})
	first := save(t, b, "acme/chat/ana/phone", &broker.Record{Epoch: 1}, 0)
	n.stop()
	saved := make(chan error, 100)
	for i := range 100 {
		key, at := fmt.Sprintf("acme/chat/ana/%d", i), uint64(0)
		if i == 0 {
			key, at = "acme/chat/ana/phone", first
		}
		b.Save(key, &broker.Record{Epoch: 2}, at, func(_ uint64, err error) { saved <- err })
	}
	n.start()
	for range 100 {
		if err := <-saved; err != nil {
			t.Fatal(err)
		}
	}
	if s := load(t, b, "acme/chat/ana/phone"); s.Record.Epoch != 2 {
		t.Errorf("got %+v", s)
	}
}

func TestStoreAfterClose(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := await(t, func(fn func(broker.Stored, error)) { b.Load("acme/a/b/c", fn) })
	if code(err) != "unavailable" {
		t.Errorf("load: %v", err)
	}
	if _, err := trySave(t, b, "acme/a/b/c", new(broker.Record), 0); code(err) != "unavailable" {
		t.Errorf("save: %v", err)
	}
}

func TestRecordTooLarge(t *testing.T) {
	b := openAlone(t, jetstream.Config{})
	r := &broker.Record{Subscriptions: []broker.Subscription{{Filter: strings.Repeat("x", 2<<20)}}}
	if _, err := trySave(t, b, "acme/a/b/c", r, 0); code(err) != "payload_too_large" {
		t.Errorf("got %v", err)
	}
}

// TestStaleReplica has a false replica that is behind: that a record is not
// there is asked of the leader, and so is what was behind once.
func TestStaleReplica(t *testing.T) {
	b := open(t, jetstream.Config{Node: "node-a", URL: startNATS(t).url()})
	jetstream.SetReplicated(b)
	key := "acme/chat/ana/phone"
	first := save(t, b, key, &broker.Record{Epoch: 1}, 0)
	second := save(t, b, key, &broker.Record{Epoch: 2}, first)
	answer := falseReplica(t, b, "KV_SESSIONS")
	answer(&nats.Msg{Header: nats.Header{"Status": {"404"}, "Description": {"Message Not Found"}}})
	if s := load(t, b, key); s.Revision != second {
		t.Errorf("got %+v", s)
	}
	old := &nats.Msg{Data: jetstream.AppendRecord(nil, key, &broker.Record{Epoch: 1}), Header: nats.Header{
		"Nats-Subject": {"$KV.SESSIONS.acme.chat.ana.phone"}, "Nats-Sequence": {fmt.Sprint(first)},
	}}
	answer(old)
	if s := load(t, b, key); s.Revision != first {
		t.Errorf("got %+v", s)
	}
	if err := erase(t, b, key, first); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if s := load(t, b, key); s.Revision != second || s.Record.Epoch != 2 {
		t.Errorf("got %+v", s)
	}
}

// falseReplica answers direct gets of a stream instead of it.
func falseReplica(t testing.TB, b *jetstream.Bus, name string) (answer func(*nats.Msg)) {
	t.Helper()
	config := streamNamed(t, b, name).CachedInfo().Config
	config.AllowDirect = false // the stream itself is silent from now on
	if _, err := jetstream.JetStreamOf(b).UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	var sub *nats.Subscription
	return func(reply *nats.Msg) {
		t.Helper()
		if sub != nil {
			_ = sub.Unsubscribe()
		}
		var err error
		sub, err = b.Side().Subscribe("$JS.API.DIRECT.GET."+name+".>", func(m *nats.Msg) {
			reply.Subject = m.Reply
			_ = b.Side().PublishMsg(reply)
		})
		if err == nil {
			err = b.Side().Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
