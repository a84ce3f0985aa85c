package jetstream_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

func TestRecordCodec(t *testing.T) {
	for _, want := range []*broker.Record{{}, richRecord(), {Floor: 1<<64 - 1}, {Floor: 5, Acked: []uint64{1<<64 - 1}}} {
		data := jetstream.AppendRecord([]byte("before"), "acme/a/b/c", want)
		key, got, err := jetstream.ParseRecord(data[len("before"):])
		if err != nil || key != "acme/a/b/c" || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %q, %v\nwant %+v", got, key, err, want)
		}
	}
}

// TestRecordCodecKeepsNothing reads a record and overwrites what it was read of.
func TestRecordCodecKeepsNothing(t *testing.T) {
	data := jetstream.AppendRecord(nil, "acme/a/b/c", richRecord())
	key, got, err := jetstream.ParseRecord(data)
	for i := range data {
		data[i] = 'x'
	}
	if err != nil || key != "acme/a/b/c" || !reflect.DeepEqual(got, richRecord()) {
		t.Errorf("got %+v, %q, %v", got, key, err)
	}
}

// TestRecordCodecRounds says what becomes of times that are no whole
// milliseconds.
func TestRecordCodecRounds(t *testing.T) {
	_, got, err := jetstream.ParseRecord(jetstream.AppendRecord(nil, "", &broker.Record{
		Expiry: 1, Expires: time.UnixMilli(7).Add(999 * time.Microsecond), Truncated: time.Unix(-5, 0),
	}))
	if err != nil || got.Expiry != time.Millisecond || got.Expires.UnixMilli() != 7 || got.Truncated.UnixMilli() != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRecordCodecRefuses(t *testing.T) {
	good := jetstream.AppendRecord(nil, "k", &broker.Record{Inflight: []broker.Flight{{QoS: 1, PacketID: 1, Seq: 1}}, Subscriptions: []broker.Subscription{{Filter: "f"}}})
	if _, _, err := jetstream.ParseRecord(good); err != nil {
		t.Fatal(err)
	}
	change := func(at int, b byte) []byte {
		data := append([]byte{}, good...)
		data[at] = b
		return data
	}
	flight := len(good) - 10 // state, id, sequence, no group; 1, options, id, start, filter
	for name, data := range map[string][]byte{
		"nothing": {}, "version": change(0, 2), "key too long": change(1, 200),
		"flight of QoS 0": change(flight, 0), "flight of QoS 3": change(flight, 3), "flight flag": change(flight, 0x41),
		"subscription of QoS 3": change(flight+5, 3), "retain handling 3": change(flight+5, 0x30), "option": change(flight+5, 0x40),
		"many subscriptions": change(flight+4, 0x7f),
	} {
		if _, r, err := jetstream.ParseRecord(data); err == nil || r != nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
	for n := range good {
		if _, _, err := jetstream.ParseRecord(good[:n]); err == nil {
			t.Errorf("read %d bytes of %d", n, len(good))
		}
	}
}

// anyRecord makes a record up.
func anyRecord(rnd *rand.Rand) *broker.Record {
	text := func() string { return strings.Repeat(string(rune(rnd.IntN(0x3000))), rnd.IntN(20)) }
	number := func() uint64 { return rnd.Uint64() >> rnd.IntN(64) }
	at := func() (t time.Time) {
		if ms := rnd.Int64N(1<<42) * int64(rnd.IntN(2)); ms > 0 {
			t = time.UnixMilli(ms)
		}
		return t
	}
	id := func() uint16 { return uint16(rnd.UintN(1 << 16)) }
	r := &broker.Record{
		Owner: text(), Epoch: number(), Generation: number(), Expiry: time.Duration(rnd.Int64N(1<<40)) * time.Millisecond,
		Expires: at(), Truncated: at(), FloorTime: at(), Floor: number() / 2, LastPacketID: id(),
		Willed: rnd.IntN(2) > 0,
	}
	for seq := r.Floor; rnd.IntN(4) > 0; {
		seq += 1 + rnd.Uint64N(1<<rnd.IntN(20))
		r.Acked = append(r.Acked, seq)
	}
	for rnd.IntN(3) > 0 {
		r.Received = append(r.Received, id())
		r.Publishing = append(r.Publishing, broker.Publishing{PacketID: id(), ID: ulid.ULID{byte(rnd.UintN(256)), 15: byte(rnd.UintN(256))}})
		r.Inflight = append(r.Inflight, broker.Flight{
			PacketID: id(), Seq: number(), QoS: 1 + byte(rnd.UintN(2)), Released: rnd.IntN(2) > 0, Retain: rnd.IntN(2) > 0, Group: text(),
		})
		r.Subscriptions = append(r.Subscriptions, broker.Subscription{
			Filter: text(), QoS: byte(rnd.UintN(3)), NoLocal: rnd.IntN(2) > 0, RetainAsPublished: rnd.IntN(2) > 0,
			RetainHandling: byte(rnd.UintN(3)), ID: rnd.Uint32(), Start: number(),
		})
	}
	return r
}

func TestRecordCodecOfAnyRecord(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		want := anyRecord(rnd)
		if _, got, err := jetstream.ParseRecord(jetstream.AppendRecord(nil, "k", want)); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(jetstream.AppendRecord(nil, "acme/a/b/c", richRecord()))
	f.Add(jetstream.AppendRecord(nil, "", &broker.Record{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, r, err := jetstream.ParseRecord(data)
		if err != nil {
			return
		}
		again, back, err := jetstream.ParseRecord(jetstream.AppendRecord(nil, key, r))
		if err != nil || again != key || !reflect.DeepEqual(back, r) {
			t.Fatalf("read %+v, written and read %+v, %v", r, back, err)
		}
	})
}

func TestWillCodec(t *testing.T) {
	want := will("", "acme/chat/ana/phone")
	got, err := jetstream.ParseWill(jetstream.AppendWill(nil, want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %+v, %v", got, got.Message, err)
	}
	data := jetstream.AppendWill(nil, want)
	for name, data := range map[string][]byte{
		"nothing": {}, "version": append([]byte{2}, data[1:]...), "flag": append([]byte{1, 4}, data[2:]...), "cut": data[:40],
	} {
		if w, err := jetstream.ParseWill(data); err == nil {
			t.Errorf("%s: read as %+v", name, w)
		}
	}
}

func FuzzWill(f *testing.F) {
	f.Add(jetstream.AppendWill(nil, will("", "acme/chat/ana/phone")))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := jetstream.ParseWill(data)
		if err != nil {
			return
		}
		back, err := jetstream.ParseWill(jetstream.AppendWill(nil, w))
		if err != nil || !reflect.DeepEqual(back, w) {
			t.Fatalf("read %+v, written and read %+v, %v", w, back, err)
		}
	})
}
