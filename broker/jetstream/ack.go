package jetstream

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

// outcome is the log's answer to one append.
type outcome struct {
	seq       uint64
	duplicate bool // the message was there before, at seq
	again     bool // no answer yet: send it again
	absent    bool // the id's hour does not have it: append it
	err       error
}

// JetStream's error codes that mean something to us.
const (
	errUnavailable  = 10008 // no leader of the cluster
	errTooMany      = 10167 // the stream's queue is full; nothing was stored
	errSameID       = 10158 // a message of this Msg-Id is under way
	errStoreFailed  = 10077 // the description says why
	errResources    = 10023
	errStorage      = 10047
	errAccount      = 10002
	errTooLarge     = 10054
	descriptionFull = "maximum"
)

var errPayload = fault.New(fault.PayloadTooLarge, "the message is larger than the log accepts")

// errorAnswer is how JetStream refuses.
type errorAnswer struct {
	Error struct {
		ErrCode     int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// duplicateMark is in the answer to a Msg-Id that was there before.
var duplicateMark = []byte(`"duplicate": true`)

// readAck reads the answer. The usual one, {"stream":"LOG_0","seq":42}, is read
// by hand: this runs for every message.
func readAck(m *nats.Msg) outcome {
	if len(m.Data) == 0 {
		return outcome{again: true} // 503 no responders: the stream has no leader
	}
	if !bytes.Contains(m.Data, []byte(`"error"`)) {
		if seq, ok := numberAfter(m.Data, `"seq":`); ok && seq > 0 {
			return outcome{seq: seq, duplicate: bytes.Contains(m.Data, duplicateMark)}
		}
	}
	var answer errorAnswer
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return outcome{err: fault.Wrap(fault.Unavailable, broker.ErrUnavailable.Message, err)}
	}
	return judge(answer.Error.ErrCode, answer.Error.Description)
}

// readLookup reads the answer to the question whether the log has a message.
func readLookup(m *nats.Msg) outcome {
	var a storedAnswer
	switch err := json.Unmarshal(m.Data, &a); {
	case err != nil:
		return outcome{again: true} // 503 no responders
	case a.Error.ErrCode == errNoMessage:
		return outcome{absent: true}
	case a.Message.Seq > 0:
		return outcome{seq: a.Message.Seq, duplicate: true}
	}
	return outcome{again: true}
}

func numberAfter(data []byte, key string) (n uint64, ok bool) {
	i := bytes.Index(data, []byte(key))
	if i < 0 {
		return 0, false
	}
	for _, c := range data[i+len(key):] {
		if c < '0' || c > '9' {
			break
		}
		n, ok = n*10+uint64(c-'0'), true
	}
	return n, ok
}

func judge(code int, description string) outcome {
	switch code {
	case errWrongLast:
		_, number, _ := strings.Cut(description, ": ")
		if seq, err := strconv.ParseUint(number, 10, 64); err == nil && seq > 0 {
			return outcome{seq: seq, duplicate: true}
		}
		return outcome{again: true}
	case errBusyLast, errUnavailable, errTooMany, errSameID:
		return outcome{again: true}
	case errTooLarge:
		return outcome{err: errPayload}
	case errResources, errStorage, errAccount:
		return outcome{err: fault.Wrap(broker.ErrLogFull.Code, broker.ErrLogFull.Message, jetError(description))}
	case errStoreFailed:
		if strings.Contains(description, descriptionFull) {
			return outcome{err: fault.Wrap(broker.ErrLogFull.Code, broker.ErrLogFull.Message, jetError(description))}
		}
	}
	return outcome{err: fault.Wrap(fault.Unavailable, "the message log refused the message", jetError(description))}
}

// jetError is what JetStream said, for our own log.
type jetError string

// Error is JetStream's description.
func (e jetError) Error() string { return "JetStream: " + string(e) }
