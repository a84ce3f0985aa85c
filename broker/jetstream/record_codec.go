package jetstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
)

// recordVersion is the first byte of every record. A reader refuses the
// versions it does not know; see DESIGN.md for how to add one.
const recordVersion = 1

// What can be wrong with a record.
var (
	errRecordDamaged = errors.New("damaged record")
	errRecordVersion = errors.New("record of an unknown version")
	errRecordKey     = errors.New("record of another session: two keys have one digest")
)

// The states of a record that take a bit.
const (
	recordWilled = 0b0000_0001
	recordFresh  = 0b0000_0010
	recordKnown  = recordWilled | recordFresh
)

// The options of a subscription, one byte.
const (
	subQoS               = 0b0000_0011
	subNoLocal           = 0b0000_0100
	subRetainAsPublished = 0b0000_1000
	subRetainHandling    = 0b0011_0000
	subRetainShift       = 4
	subKnown             = subQoS | subNoLocal | subRetainAsPublished | subRetainHandling
)

// The state of a flight, one byte.
const (
	flightQoS      = 0b0000_0011
	flightReleased = 0b0000_0100
	flightRetain   = 0b0000_1000
	flightKnown    = flightQoS | flightReleased | flightRetain
)

// appendRecord appends a record as it is stored. Times have milliseconds.
func appendRecord(dst []byte, key string, r *broker.Record) []byte {
	dst = appendText(append(dst, recordVersion), key)
	dst = appendText(dst, r.Owner)
	dst = binary.AppendUvarint(dst, r.Epoch)
	dst = binary.AppendUvarint(dst, r.Generation)
	dst = appendDuration(dst, r.Expiry)
	dst = appendTime(dst, r.Expires)
	dst = appendTime(dst, r.Truncated)
	dst = append(dst, recordState(r))
	dst = binary.AppendUvarint(dst, r.Floor)
	dst = appendTime(dst, r.FloorTime)
	dst = appendRising(dst, r.Floor, r.Acked)
	dst = binary.AppendUvarint(dst, uint64(r.LastPacketID))
	dst = binary.AppendUvarint(dst, uint64(len(r.Received)))
	for _, id := range r.Received {
		dst = binary.AppendUvarint(dst, uint64(id))
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Publishing)))
	for _, p := range r.Publishing {
		dst = append(binary.AppendUvarint(dst, uint64(p.PacketID)), p.ID[:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Inflight)))
	for i := range r.Inflight {
		dst = appendFlight(dst, &r.Inflight[i])
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Subscriptions)))
	for i := range r.Subscriptions {
		dst = appendSubscription(dst, &r.Subscriptions[i])
	}
	return dst
}

// recordState is the byte of what a record is or is not.
func recordState(r *broker.Record) (state byte) {
	if r.Willed {
		state |= recordWilled
	}
	if r.Fresh {
		state |= recordFresh
	}
	return state
}

// appendRising appends sequences above floor as the steps between them, which
// are small.
func appendRising(dst []byte, floor uint64, seqs []uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(seqs)))
	for _, seq := range seqs {
		dst = binary.AppendUvarint(dst, seq-floor)
		floor = seq
	}
	return dst
}

func appendFlight(dst []byte, f *broker.Flight) []byte {
	state := f.QoS & flightQoS
	if f.Released {
		state |= flightReleased
	}
	if f.Retain {
		state |= flightRetain
	}
	dst = binary.AppendUvarint(append(dst, state), uint64(f.PacketID))
	return appendText(binary.AppendUvarint(dst, f.Seq), f.Group)
}

func appendSubscription(dst []byte, s *broker.Subscription) []byte {
	options := s.QoS&subQoS | s.RetainHandling<<subRetainShift&subRetainHandling
	if s.NoLocal {
		options |= subNoLocal
	}
	if s.RetainAsPublished {
		options |= subRetainAsPublished
	}
	dst = binary.AppendUvarint(append(dst, options), uint64(s.ID))
	return appendText(binary.AppendUvarint(dst, s.Start), s.Filter)
}

// appendTime appends Unix milliseconds, 0 for the zero time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(max(t.UnixMilli(), 1)))
}

// appendDuration appends milliseconds, rounded up: what is not 0 must not
// become so.
func appendDuration(dst []byte, d time.Duration) []byte {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return binary.AppendUvarint(dst, uint64(max(ms, 0)))
}

// parseRecord reads a stored record and whose it is. It keeps nothing of data.
func parseRecord(data []byte) (key string, r *broker.Record, err error) {
	if len(data) > 0 && data[0] != recordVersion {
		return "", nil, fmt.Errorf("%w: %d", errRecordVersion, data[0])
	}
	if len(data) == 0 {
		return "", nil, errRecordDamaged
	}
	in := reader{rest: data[1:]}
	r = new(broker.Record)
	key, r.Owner = string(in.text()), string(in.text())
	r.Epoch, r.Generation = in.number(math.MaxUint64), in.number(math.MaxUint64)
	r.Expiry, r.Expires, r.Truncated = in.duration(), in.time(), in.time()
	state := in.octet(recordKnown)
	r.Willed, r.Fresh = state&recordWilled != 0, state&recordFresh != 0
	r.Floor = in.number(math.MaxUint64)
	r.FloorTime = in.time()
	r.Acked = in.rising(r.Floor)
	r.LastPacketID = in.packetID()
	r.Received = several(&in, in.packetID)
	r.Publishing = several(&in, in.publishing)
	r.Inflight = several(&in, in.flight)
	r.Subscriptions = several(&in, in.subscription)
	if in.bad || len(in.rest) > 0 {
		return "", nil, errRecordDamaged
	}
	return key, r, nil
}

// several reads a count and as many things; each takes a byte at least.
func several[T any](r *reader, one func() T) []T {
	n := r.number(uint64(len(r.rest)))
	if n == 0 {
		return nil
	}
	all := make([]T, 0, min(n, 64)) // a damaged count must not take memory
	for range n {
		all = append(all, one())
		if r.bad {
			return nil
		}
	}
	return all
}

func (r *reader) rising(floor uint64) []uint64 {
	return several(r, func() uint64 {
		step := r.number(math.MaxUint64 - floor)
		r.bad = r.bad || step == 0
		floor += step
		return floor
	})
}

func (r *reader) packetID() uint16 {
	return uint16(r.number(math.MaxUint16)) //nolint:gosec // at most that
}

func (r *reader) publishing() broker.Publishing {
	return broker.Publishing{PacketID: r.packetID(), ID: r.id()}
}

func (r *reader) id() (id ulid.ULID) {
	if len(r.rest) < len(id) {
		r.bad = true
		return id
	}
	r.rest = r.rest[copy(id[:], r.rest):]
	return id
}

func (r *reader) flight() broker.Flight {
	state := r.octet(flightKnown)
	f := broker.Flight{QoS: state & flightQoS, Released: state&flightReleased != 0, Retain: state&flightRetain != 0}
	r.bad = r.bad || f.QoS == 0 || f.QoS == flightQoS
	f.PacketID, f.Seq, f.Group = r.packetID(), r.number(math.MaxUint64), string(r.text())
	return f
}

func (r *reader) subscription() broker.Subscription {
	options := r.octet(subKnown)
	s := broker.Subscription{
		QoS:               options & subQoS,
		NoLocal:           options&subNoLocal != 0,
		RetainAsPublished: options&subRetainAsPublished != 0,
		RetainHandling:    options & subRetainHandling >> subRetainShift,
	}
	r.bad = r.bad || s.QoS == subQoS || s.RetainHandling > 2
	s.ID = uint32(r.number(math.MaxUint32)) //nolint:gosec // at most that
	s.Start, s.Filter = r.number(math.MaxUint64), string(r.text())
	return s
}

// octet takes a byte that has no bits but those that are known.
func (r *reader) octet(known byte) byte {
	if len(r.rest) == 0 || r.rest[0]&^known != 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// maxMillis keeps times and durations within what Go's types hold.
const maxMillis = math.MaxInt64 / int64(time.Millisecond)

func (r *reader) time() time.Time {
	ms := r.number(uint64(maxMillis))
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)) //nolint:gosec // at most maxMillis
}

func (r *reader) duration() time.Duration {
	return time.Duration(r.number(uint64(maxMillis))) * time.Millisecond //nolint:gosec // at most maxMillis
}
