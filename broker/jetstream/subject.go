package jetstream

import (
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
)

// The first tokens of our subjects.
const (
	livePrefix = "live."
	logPrefix  = "log."
	ctlPrefix  = "ctl."
)

const (
	// undatedBucket stands in the place of the hour for messages whose id does
	// not tell when they came. Every reader looks there.
	undatedBucket = "undated"
	// agedAfter is how old an id may be for its hour. A reader goes back from the
	// time it knows by hourSkew, so that this much less of it is left for the
	// difference between two clocks.
	agedAfter = 15 * time.Minute
)

const (
	// maxSubject is the longest subject in bytes. A server closes a connection
	// whose control line, subject and reply included, is over 4 KB.
	maxSubject = 3 << 10
	// maxLevels is what the levels may take of it, so that a topic that can be
	// published with QoS 0 can be logged too: "log.", the shard, the hour and
	// the id around them take less than 64 bytes.
	maxLevels = maxSubject - 64
	// emptyLevel stands for a level without a character: NATS has no empty tokens.
	emptyLevel = '%'

	upperHex = "0123456789ABCDEF"
	hourMS   = 3_600_000
)

var (
	errTooLong  = fault.New(fault.Invalid, "the topic is too long: its NATS subject would exceed 3 KB")
	errOneLevel = fault.New(fault.Invalid, "the topic has only one level: want {organization}/…")
	errNoOrg    = fault.New(fault.Invalid, "the filter must start with an organization, not a wildcard")
	errSubject  = fault.New(fault.Internal, "the NATS subject does not belong to a topic")
)

// checkTopic refuses names that cannot be published.
func checkTopic(name string) error {
	if err := topic.ValidName(name); err != nil {
		return fault.Wrap(fault.Invalid, "the topic is not valid", err)
	}
	if strings.IndexByte(name, '/') < 0 {
		return errOneLevel
	}
	// A byte becomes three at most.
	if 3*len(name) > maxLevels && len(appendEncoded(nil, name)) > maxLevels {
		return errTooLong
	}
	return nil
}

// appendEncoded appends a topic name as the tokens of a subject. It is a
// bijection between names and what it appends.
func appendEncoded(dst []byte, s string) []byte {
	begin := true // of a level
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '/':
			if begin {
				dst = append(dst, emptyLevel)
			}
			dst = append(dst, '.')
		case plain(c) || c == '$' && !begin:
			dst = append(dst, c)
		case c == replacement[0] && !strings.HasPrefix(s[i:], replacement):
			dst = append(dst, c)
		case c == replacement[0]:
			dst = append(dst, "%EF%BF%BD"...)
			i += len(replacement) - 1
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
		begin = c == '/'
	}
	if begin {
		dst = append(dst, emptyLevel)
	}
	return dst
}

// replacement is U+FFFD, which a server takes for damage when it reads the
// index of its store back.
const replacement = "\uFFFD"

// plain tells which bytes stand for themselves anywhere in a token.
func plain(c byte) bool {
	switch c {
	case '.', '*', '>', '%', ' ', '\t', '\r', '\n', '\f', 0, 0x7F, '$', replacement[0]:
		return false
	}
	return true
}

// topicOf is the inverse of appendEncoded. Tokens that it would not have
// written are refused.
func topicOf(levels string) (string, error) {
	if strings.IndexByte(levels, '%') < 0 {
		return strings.ReplaceAll(levels, ".", "/"), nil
	}
	name := make([]byte, 0, len(levels))
	for i := 0; i < len(levels); i++ {
		switch c := levels[i]; {
		case c == '.':
			name = append(name, '/')
		case c != '%':
			name = append(name, c)
		case i+1 == len(levels) || levels[i+1] == '.': // an empty level
		case i+2 < len(levels):
			b, err := strconv.ParseUint(levels[i+1:i+3], 16, 8)
			if err != nil {
				return "", errSubject
			}
			name = append(name, byte(b))
			i += 2
		default:
			return "", errSubject
		}
	}
	if s := string(name); string(appendEncoded(nil, s)) == levels {
		return s, nil
	}
	return "", errSubject
}

// filterSubjects returns the subjects below prefix that match exactly what the
// filter matches: one, or two when the filter ends in "#", which includes the
// parent level. The filter must have its first level literal.
func filterSubjects(prefix, filter string) ([]string, error) {
	if filter != "" && (filter[0] == '+' || filter[0] == '#') {
		return nil, errNoOrg
	}
	return anySubjects(prefix, filter)
}

// liveSubjects are the subjects of live messages. Here the first level may be a
// wildcard: those above the wall listen to several organizations.
func liveSubjects(filter string) ([]string, error) { return anySubjects(livePrefix, filter) }

func anySubjects(prefix, filter string) ([]string, error) {
	if err := topic.ValidFilter(filter); err != nil {
		return nil, fault.Wrap(fault.Invalid, "the filter is not valid", err)
	}
	var subjects []string
	s := []byte(prefix)
	for i, level := range strings.Split(filter, "/") {
		if level == "#" && i > 0 {
			subjects = append(subjects, string(s))
		}
		if i > 0 {
			s = append(s, '.')
		}
		switch level {
		case "+":
			s = append(s, '*')
		case "#":
			s = append(s, '>')
		default:
			s = appendEncoded(s, level)
		}
	}
	if len(s)-len(prefix) > maxLevels {
		return nil, errTooLong
	}
	return append(subjects, string(s)), nil
}

// appendLogSubject appends the subject under which the log keeps a message:
// log.<shard>.<hour>.<levels>.<id>, or with another bucket than the hour of its
// id. A retry has the same one.
func appendLogSubject(dst []byte, shard int, m *broker.Message, aged bool) []byte {
	dst = append(dst, logPrefix...)
	dst = strconv.AppendInt(dst, int64(shard), 10)
	dst = append(dst, '.')
	if aged || m.CollapseKey != "" {
		dst = append(dst, undatedBucket...)
	} else {
		dst = strconv.AppendUint(dst, m.ID.Time()/hourMS, 10)
	}
	dst = append(dst, '.')
	dst = appendEncoded(dst, m.Topic)
	dst = append(dst, '.')
	if m.CollapseKey != "" {
		return appendKey(dst, m.CollapseKey)
	}
	return appendID(dst, m.ID)
}

func appendID(dst []byte, id ulid.ULID) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, ulid.EncodedSize)...)
	_ = id.MarshalTextTo(dst[n:]) // fails for a wrong length alone
	return dst
}

// appendLiveSubject appends the subject of live delivery: live.<levels>.
func appendLiveSubject(dst []byte, name string) []byte {
	return appendEncoded(append(dst, livePrefix...), name)
}
