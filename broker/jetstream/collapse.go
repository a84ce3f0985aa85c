package jetstream

import (
	"strconv"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// keyMark begins the last token of a message with a collapse key; no id does.
	keyMark = '~'
	// maxKeyLevels is what the levels may take of a subject with a collapse key,
	// each byte of which may become three.
	maxKeyLevels = maxLevels - 3*broker.MaxCollapseKey
)

var errKey = fault.Newf(fault.Invalid, "the collapse key is longer than %d bytes or not UTF-8", broker.MaxCollapseKey)

// checkKey refuses collapse keys that cannot be part of a subject.
func checkKey(m *broker.Message) error {
	switch {
	case m.CollapseKey == "":
		return nil
	case len(m.CollapseKey) > broker.MaxCollapseKey || !utf8.ValidString(m.CollapseKey):
		return errKey
	case 3*len(m.Topic) > maxKeyLevels && len(appendEncoded(nil, m.Topic)) > maxKeyLevels:
		return errTooLong
	}
	return nil
}

// appendKey appends a collapse key as the last token of a subject. It is a
// bijection between keys and what it appends.
func appendKey(dst []byte, key string) []byte {
	dst = append(dst, keyMark)
	for i := range len(key) {
		if c := key[i]; plain(c) && c != '/' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// keyOf is the inverse of appendKey; a token that is an id has no key. What
// appendKey would not have written is refused.
func keyOf(token string) (string, error) {
	if token == "" || token[0] != keyMark {
		return "", nil
	}
	key := make([]byte, 0, len(token))
	for i := 1; i < len(token); i++ {
		if token[i] != '%' || i+2 >= len(token) {
			key = append(key, token[i])
			continue
		}
		b, err := strconv.ParseUint(token[i+1:i+3], 16, 8)
		if err != nil {
			return "", errSubject
		}
		key = append(key, byte(b))
		i += 2
	}
	if s := string(key); s != "" && string(appendKey(nil, s)) == token {
		return s, nil
	}
	return "", errSubject
}

// appendMessageID appends what JetStream knows a message with a collapse key
// by: its id, which another app may have chosen too.
func appendMessageID(dst []byte, m *broker.Message) []byte {
	org, app := appOf(m.Topic)
	dst = append(appendEncoded(dst, org), '.')
	dst = append(appendEncoded(dst, app), '.')
	return appendID(dst, m.ID)
}
