package session

import (
	"strings"
	"unicode/utf8"

	"github.com/fanfare-mq/fanfare/broker/topic"
)

// full is what the client calls name, in full: in mounted mode the client does
// not know the prefix. $SYS is the server's own and no app's.
func (s *Session) full(name string) string {
	if s.mount == "" || isServerTopic(name) {
		return name
	}
	return s.mount + name
}

// fullFilter does the same for a filter, behind its $share, $queue or $local.
func (s *Session) fullFilter(filter string) string {
	if s.mount == "" {
		return filter
	}
	parsed, err := topic.Parse(filter)
	if err != nil || isServerTopic(parsed.Filter) {
		return filter
	}
	prefix := strings.TrimSuffix(filter, parsed.Filter)
	return prefix + s.mount + parsed.Filter
}

// bare is a full topic as the client calls it.
func (s *Session) bare(name string) string { return strings.TrimPrefix(name, s.mount) }

func isServerTopic(name string) bool { return name == "$SYS" || strings.HasPrefix(name, "$SYS/") }

func validText(b []byte) bool { return utf8.Valid(b) }
