package presence

import (
	"errors"
	"strconv"
	"strings"
)

// What nodes say to each other of claims.
const (
	kindHello = "hello" // a node has come: tell your clocks
	kindClock = "clock" // number is the sender's highest
	kindWho   = "who"   // text is a key: who holds it?
	kindHolds = "holds" // answers token: text is an instance
)

// message is "kind number token text", where the text is the rest and may hold
// anything.
type message struct {
	kind   string
	number uint64
	token  string
	text   string
}

var errMessage = errors.New("presence: a message of an unknown form")

func (m message) encode() []byte {
	return []byte(m.kind + " " + strconv.FormatUint(m.number, 10) + " " + m.token + " " + m.text)
}

func decode(data []byte) (message, error) {
	fields := strings.SplitN(string(data), " ", 4)
	if len(fields) != 4 {
		return message{}, errMessage
	}
	number, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return message{}, errMessage
	}
	return message{kind: fields[0], number: number, token: fields[2], text: fields[3]}, nil
}
