package topic

import (
	"errors"
	"strings"
	"unicode/utf8"
)

const (
	// MaxLength is the longest topic name or filter in bytes: what the
	// two-byte length of an MQTT string can say [MQTT-4.7.3-3].
	MaxLength = 65535
	// MaxLevels bounds the depth of names and filters, and with it the nodes
	// that one filter can cost the subscription tree.
	MaxLevels = 128
)

// What can be wrong with a topic name or filter.
var (
	ErrEmpty          = errors.New("topic is empty")
	ErrTooLong        = errors.New("topic is longer than 65535 bytes")
	ErrTooManyLevels  = errors.New("topic has more than 128 levels")
	ErrNotUTF8        = errors.New("topic is not valid UTF-8")
	ErrNUL            = errors.New("topic contains the NUL character")
	ErrWildcardInName = errors.New("topic name contains a wildcard, + or #")
	ErrMultiLevel     = errors.New("# must stand alone in the last level of a topic filter")
	ErrSingleLevel    = errors.New("+ must stand alone in a level of a topic filter")
	ErrPrefix         = errors.New("want $share/<group>/<filter>, $queue/<filter> or $local/<filter>, with a group free of + and #")
)

// ValidName reports what is wrong with a topic name, the thing that is
// published to, or nil.
func ValidName(topic string) error {
	if err := validText(topic); err != nil {
		return err
	}
	if hasWildcard(topic) {
		return ErrWildcardInName // [MQTT-3.3.2-2] [MQTT-4.7.1-1]
	}
	return nil
}

// validText checks what names and filters have in common.
func validText(topic string) error {
	switch {
	case topic == "":
		return ErrEmpty // [MQTT-4.7.3-1]
	case len(topic) > MaxLength:
		return ErrTooLong // [MQTT-4.7.3-3]
	case strings.IndexByte(topic, 0) >= 0:
		return ErrNUL // [MQTT-4.7.3-2]
	case !utf8.ValidString(topic):
		return ErrNotUTF8 // [MQTT-1.5.3-1]
	case strings.Count(topic, "/") >= MaxLevels:
		return ErrTooManyLevels
	}
	return nil
}

func hasWildcard(s string) bool {
	return strings.IndexByte(s, '+') >= 0 || strings.IndexByte(s, '#') >= 0
}

// reserved says that a name belongs to the server.
func reserved(name string) bool {
	return name != "" && name[0] == '$'
}
