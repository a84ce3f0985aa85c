package jetstream

import (
	"encoding/binary"
	"errors"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
)

// envelopeVersion is the first byte of every envelope that is written. A reader
// refuses the versions it does not know; see DESIGN.md for how to add one.
const (
	envelopeVersion = 2
	// envelopeOldest is the first with no field for the message before.
	envelopeOldest = 1
)

// The flags, the second byte.
const (
	flagQoS         = 0b0000_0011
	flagRetain      = 0b0000_0100
	flagUTF8        = 0b0000_1000
	flagCorrelation = 0b0001_0000 // tells an empty one from none
	flagsKnown      = flagQoS | flagRetain | flagUTF8 | flagCorrelation
)

const (
	idStart     = 2
	fixedHeader = idStart + len(ulid.ULID{})
	// maxEnvelope is the most that an envelope adds to the payload and the
	// fields of bytes: the fixed header and nine variable numbers.
	maxEnvelope = fixedHeader + 9*binary.MaxVarintLen64
)

// What can be wrong with an envelope.
var (
	errEnvelope        = errors.New("damaged envelope")
	errEnvelopeVersion = errors.New("envelope of an unknown version")
)

// appendEnvelope appends the message as it travels: a header and the payload.
// The topic is not in it, the subject says it.
func appendEnvelope(dst []byte, m *broker.Message) []byte {
	return appendEnvelopeAt(dst, m, m.Position, m.Previous)
}

// appendEnvelopeAt is appendEnvelope with another place. It does not read the
// message's own, which an append that is sent again may be given meanwhile.
func appendEnvelopeAt(dst []byte, m *broker.Message, at broker.Position, previous uint64) []byte {
	flags := m.QoS & flagQoS
	if m.Retain {
		flags |= flagRetain
	}
	if m.UTF8 {
		flags |= flagUTF8
	}
	if m.Correlation != nil {
		flags |= flagCorrelation
	}
	dst = append(dst, envelopeVersion, flags)
	dst = append(dst, m.ID[:]...)
	dst = binary.AppendUvarint(dst, uint64(at.Shard))
	dst = binary.AppendUvarint(dst, at.Seq)
	dst = binary.AppendUvarint(dst, previous)
	dst = binary.AppendUvarint(dst, uint64(max(m.Expires, 0)))
	dst = appendText(dst, m.Publisher)
	dst = appendText(dst, m.Node)
	dst = appendText(dst, m.ContentType)
	dst = appendText(dst, m.ResponseTopic)
	dst = appendText(dst, m.Correlation)
	dst = appendText(dst, m.User)
	return append(dst, m.Payload...)
}

func appendText[T string | []byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// envelopeID returns the message id without reading the rest.
func envelopeID(data []byte) (id ulid.ULID, ok bool) {
	if len(data) < fixedHeader || !versionKnown(data[0]) {
		return id, false
	}
	copy(id[:], data[idStart:])
	return id, true
}

func versionKnown(v byte) bool { return v >= envelopeOldest && v <= envelopeVersion }

// parseEnvelope fills m from an envelope, all but the topic. Payload,
// Correlation and User alias data.
func parseEnvelope(data []byte, m *broker.Message) error {
	if len(data) > 0 && !versionKnown(data[0]) {
		return errEnvelopeVersion
	}
	if len(data) < fixedHeader || data[1]&^flagsKnown != 0 || data[1]&flagQoS == flagQoS {
		return errEnvelope
	}
	flags := data[1]
	m.QoS, m.Retain, m.UTF8 = flags&flagQoS, flags&flagRetain != 0, flags&flagUTF8 != 0
	copy(m.ID[:], data[idStart:])
	r := reader{rest: data[fixedHeader:]}
	shard, seq := r.number(1<<16-1), r.number(1<<64-1)
	m.Previous = 0
	if data[0] > envelopeOldest {
		m.Previous = r.number(1<<64 - 1)
	}
	expires := r.number(1<<63 - 1)
	publisher, node, contentType := r.text(), r.text(), r.text()
	responseTopic, correlation, user := r.text(), r.text(), r.text()
	if flags&flagCorrelation == 0 && len(correlation) > 0 {
		r.bad = true
	}
	if r.bad {
		return errEnvelope
	}
	m.Position = broker.Position{Shard: uint16(shard), Seq: seq} //nolint:gosec // at most 1<<16-1
	m.Expires = int64(expires)                                   //nolint:gosec // at most 1<<63-1
	m.Publisher, m.Node, m.ContentType = string(publisher), string(node), string(contentType)
	m.ResponseTopic, m.Correlation, m.User = string(responseTopic), nil, nil
	if flags&flagCorrelation != 0 {
		m.Correlation = correlation
	}
	if len(user) > 0 {
		m.User = user
	}
	m.Payload = r.rest
	return nil
}

// reader takes fields from the front of rest; after a mistake it is bad.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number(most uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > most {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) text() []byte {
	n := r.number(uint64(len(r.rest)))
	if n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	s := r.rest[:n:n]
	r.rest = r.rest[n:]
	return s
}
