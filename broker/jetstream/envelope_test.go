package jetstream_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func fullMessage() *broker.Message {
	return &broker.Message{
		ID:          ulid.MustParse("01HZXW3Y5Z8K9QF1N4T7B2C6DE"),
		Payload:     []byte("hello"),
		QoS:         2,
		Retain:      true,
		UTF8:        true,
		ContentType: "text/plain",
		Publisher:   "acme/chat/ana/phone-1",
		Node:        "edge-1",
		Expires:     1_800_000_000_000,
		Position:    broker.Position{Shard: 15, Seq: 1 << 40},
		Previous:    1<<40 - 1,

		ResponseTopic: "acme/chat/answers",
		Correlation:   []byte{0, 1, 2},
		User:          []byte("\x00\x01k\x00\x01v"),
	}
}

func TestEnvelope(t *testing.T) {
	for _, m := range []*broker.Message{fullMessage(), {Payload: []byte{}}, {QoS: 1, Payload: []byte{0}}, {Correlation: []byte{}, Payload: []byte{}}} {
		data := jetstream.AppendEnvelope(nil, m)
		var got broker.Message
		if err := jetstream.ParseEnvelope(data, &got); err != nil || !reflect.DeepEqual(&got, m) {
			t.Errorf("got %+v, %v; want %+v", got, err, m)
		}
		if id, ok := jetstream.EnvelopeID(data); !ok || id != m.ID {
			t.Errorf("id %v, %v", id, ok)
		}
		texts := len(m.Payload) + len(m.Publisher) + len(m.Node) + len(m.ContentType) + len(m.ResponseTopic) + len(m.Correlation) + len(m.User)
		if n := len(data) - texts; n > jetstream.MaxEnvelope {
			t.Errorf("a header of %d bytes", n)
		}
	}
}

// TestEnvelopeOfVersion1 reads what was written before messages knew the one
// before them.
func TestEnvelopeOfVersion1(t *testing.T) {
	m := &broker.Message{ID: fullMessage().ID, QoS: 1, Payload: []byte("hello")}
	data := jetstream.AppendEnvelope(nil, m)
	const previous = 2 + 16 + 2 // behind version, flags, id, shard and sequence
	data = slices.Delete(data, previous, previous+1)
	data[0] = 1
	got := broker.Message{Previous: 7}
	if err := jetstream.ParseEnvelope(data, &got); err != nil || !reflect.DeepEqual(&got, m) {
		t.Errorf("got %+v, %v", got, err)
	}
	if id, ok := jetstream.EnvelopeID(data); !ok || id != m.ID {
		t.Errorf("id %v, %v", id, ok)
	}
}

func TestEnvelopeRefuses(t *testing.T) {
	good := jetstream.AppendEnvelope(nil, fullMessage())
	change := func(i int, b byte) []byte {
		c := bytes.Clone(good)
		c[i] = b
		return c
	}
	header := len(good) - len("hello")
	cases := map[string][]byte{
		"empty": nil, "version 0": change(0, 0), "version 3": change(0, 3), "unknown flag": change(1, 0x80),
		"qos 3": change(1, 3), "long text": change(header-7, 200),
		"hidden correlation": change(1, good[1]&^0x10),
	}
	for i := range header {
		cases["cut"+string(rune('0'+i%10))+string(rune('a'+i/10))] = good[:i]
	}
	for name, data := range cases {
		if err := jetstream.ParseEnvelope(data, new(broker.Message)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, ok := jetstream.EnvelopeID(change(0, 3)); ok {
		t.Error("the id of an unknown version was read")
	}
}

func TestEnvelopeOfAnyMessage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() []byte {
		if random.IntN(4) == 0 {
			return []byte{}
		}
		b := make([]byte, random.IntN(300))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	for range 2000 {
		m := &broker.Message{
			ID: ulid.ULID(slices.Concat(text(), make([]byte, 16))[:16]), QoS: byte(random.IntN(3)),
			Retain: random.IntN(2) == 0, UTF8: random.IntN(2) == 0, Payload: text(),
			Publisher: string(text()), Node: string(text()), ContentType: string(text()), ResponseTopic: string(text()),
			Expires: random.Int64(), Position: broker.Position{Shard: uint16(random.Uint32()), Seq: random.Uint64()},
			Previous: random.Uint64(),
		}
		if random.IntN(2) == 0 {
			m.Correlation = text()
		}
		if m.User = text(); len(m.User) == 0 {
			m.User = nil
		}
		var got broker.Message
		if err := jetstream.ParseEnvelope(jetstream.AppendEnvelope(nil, m), &got); err != nil || !reflect.DeepEqual(&got, m) {
			t.Fatalf("got %+v, %v; want %+v", got, err, m)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(jetstream.AppendEnvelope(nil, fullMessage()))
	f.Add(jetstream.AppendEnvelope(nil, &broker.Message{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m, again broker.Message
		if jetstream.ParseEnvelope(data, &m) != nil {
			return
		}
		if err := jetstream.ParseEnvelope(jetstream.AppendEnvelope(nil, &m), &again); err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

func TestAnswers(t *testing.T) {
	type answer struct {
		seq              uint64
		duplicate, again bool
	}
	for data, want := range map[string]answer{
		`{"stream":"LOG_0", "seq":42}`:              {seq: 42},
		`{"stream":"LOG_0","domain":"eu", "seq":7}`: {seq: 7},
		``: {again: true},
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 12"},"stream":"LOG_0","seq":0}`: {seq: 12, duplicate: true},
		`{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"}}`:                              {again: true},
		`{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}`:         {again: true},
		`{"error":{"code":429,"err_code":10167,"description":"too many requests"}}`:                                {again: true},
	} {
		seq, duplicate, again, err := jetstream.Judge(data)
		if got := (answer{seq, duplicate, again}); got != want || err != nil {
			t.Errorf("%s: got %+v, %v; want %+v", data, got, err, want)
		}
	}
	for data, want := range map[string]string{
		`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`:       "log_full",
		`{"error":{"code":503,"err_code":10023,"description":"insufficient resources"}}`:       "log_full",
		`{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum"}}`: "payload_too_large",
		`{"error":{"code":503,"err_code":10077,"description":"disk on fire"}}`:                 "unavailable",
		`{"seq":`: "unavailable", `{}`: "unavailable", `nonsense`: "unavailable",
	} {
		if seq, _, again, err := jetstream.Judge(data); code(err) != want || again || seq != 0 {
			t.Errorf("%s: %v (%s), want %s", data, err, code(err), want)
		}
	}
}

func TestWholeSeconds(t *testing.T) {
	for ms, want := range map[int64]int64{-5: 1, 0: 1, 1: 1, 1000: 1, 1001: 2, 60_000: 60} {
		if got := jetstream.WholeSeconds(ms); got != want {
			t.Errorf("%d ms: %d s, want %d", ms, got, want)
		}
	}
}

func TestSeenForgetsTheOldest(t *testing.T) {
	add := jetstream.Seen(2)
	id := func(i byte) ulid.ULID { return ulid.ULID{15: i} }
	for i := byte(1); i <= 4; i++ {
		if !add(id(i)) || add(id(i)) {
			t.Fatalf("message %d", i)
		}
	}
	if add(id(3)) || add(id(2)) {
		t.Error("a recent message was forgotten")
	}
	if !add(id(5)) || !add(id(1)) {
		t.Error("an old message was kept")
	}
}
