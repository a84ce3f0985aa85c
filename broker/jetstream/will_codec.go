package jetstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/fanfare-mq/fanfare/broker"
)

// willVersion is the first byte of every stored will.
const willVersion = 1

// The flags of a will, the second byte.
const (
	willDurable = 0b0000_0001
	willUndated = 0b0000_0010
	willKnown   = willDurable | willUndated
)

// What can be wrong with a will.
var (
	errWillDamaged = errors.New("damaged will")
	errWillVersion = errors.New("will of an unknown version")
)

// appendWill appends a will as it is stored: what is the will's own, and its
// message as it travels. The instance is in the subject.
func appendWill(dst []byte, w *broker.Will) []byte {
	flags := byte(0)
	if w.Durable {
		flags |= willDurable
	}
	if w.Message.Undated {
		flags |= willUndated
	}
	dst = appendText(append(dst, willVersion, flags), w.Key)
	dst = binary.AppendUvarint(dst, w.Epoch)
	dst = appendDuration(dst, w.Delay)
	dst = appendDuration(dst, w.Lifetime)
	dst = appendTime(dst, w.Due)
	dst = appendText(dst, w.Message.Topic)
	return appendEnvelope(dst, w.Message)
}

// parseWill reads a stored will, all but what is in the subject. Its message
// aliases data.
func parseWill(data []byte) (*broker.Will, error) {
	if len(data) > 0 && data[0] != willVersion {
		return nil, fmt.Errorf("%w: %d", errWillVersion, data[0])
	}
	if len(data) == 0 {
		return nil, errWillDamaged
	}
	in := reader{rest: data[1:]}
	flags := in.octet(willKnown)
	w := &broker.Will{Durable: flags&willDurable != 0, Message: new(broker.Message)}
	w.Key, w.Epoch = string(in.text()), in.number(math.MaxUint64)
	w.Delay, w.Lifetime, w.Due = in.duration(), in.duration(), in.time()
	name := string(in.text())
	if in.bad {
		return nil, errWillDamaged
	}
	if err := parseEnvelope(in.rest, w.Message); err != nil {
		return nil, err
	}
	w.Message.Topic, w.Message.Undated = name, flags&willUndated != 0
	return w, nil
}
