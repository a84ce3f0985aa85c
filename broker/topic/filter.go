package topic

import "strings"

// The wildcards: one level, and the parent with everything below it.
const (
	single = "+"
	multi  = "#"
)

// Kind says how the messages of a subscription are shared out.
type Kind uint8

// The kinds of subscription.
const (
	Plain Kind = iota // every subscriber gets every message
	Share             // $share/<group>/<filter>: one member of the group gets each message
	Queue             // $queue/<filter>: as Share, with one group for all
	Local             // $local/<filter>: only what is published on this node
)

// Subscription is the parsed filter of a SUBSCRIBE.
type Subscription struct {
	Kind   Kind
	Group  string // the group of a Share, otherwise empty
	Filter string // what names are matched against; never with one of the prefixes parsed away
}

// ValidFilter reports what is wrong with a topic filter, or nil. It does not
// know the $share, $queue and $local prefixes: see Parse.
func ValidFilter(filter string) error {
	if err := validText(filter); err != nil {
		return err
	}
	if !hasWildcard(filter) {
		return nil
	}
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch {
		case level == single:
		case level == multi && !more:
		case strings.IndexByte(level, '#') >= 0:
			return ErrMultiLevel // [MQTT-4.7.1-2]
		case strings.IndexByte(level, '+') >= 0:
			return ErrSingleLevel // [MQTT-4.7.1-3]
		}
	}
	return nil
}

// Parse takes a SUBSCRIBE's filter apart and validates its parts. A filter
// whose first level is exactly $share, $queue or $local has to continue as
// such a subscription does; any other leading $ is Plain.
func Parse(filter string) (Subscription, error) {
	if len(filter) > MaxLength {
		return Subscription{}, ErrTooLong
	}
	s := Subscription{Kind: Plain, Filter: filter}
	word, rest, _ := strings.Cut(filter, "/")
	switch word {
	case "$share":
		s.Kind = Share
		s.Group, s.Filter, _ = strings.Cut(rest, "/")
		if s.Group == "" || hasWildcard(s.Group) {
			return Subscription{}, ErrPrefix // MQTT 5.0 [MQTT-4.8.2-1] [MQTT-4.8.2-2]
		}
		if err := validText(s.Group); err != nil {
			return Subscription{}, err
		}
	case "$queue":
		s.Kind, s.Filter = Queue, rest
	case "$local":
		s.Kind, s.Filter = Local, rest
	}
	if s.Kind != Plain && s.Filter == "" {
		return Subscription{}, ErrPrefix
	}
	if err := ValidFilter(s.Filter); err != nil {
		return Subscription{}, err
	}
	return s, nil
}

// Match reports whether a valid filter, stripped of any prefix, matches a
// valid name, as section 4.7 of MQTT 3.1.1 has it.
func Match(filter, name string) bool {
	if name == "" || outOfReach(filter, name) {
		return false
	}
	for filter != multi {
		level, filterRest, filterMore := strings.Cut(filter, "/")
		word, nameRest, nameMore := strings.Cut(name, "/")
		if level != single && level != word {
			return false
		}
		if !filterMore || !nameMore {
			return !nameMore && mayEnd(filterRest, filterMore)
		}
		filter, name = filterRest, nameRest
	}
	return true
}

// mayEnd says that a filter may match a name that has no level beyond those
// compared so far: the filter has none either, or # includes the parent.
func mayEnd(rest string, more bool) bool {
	return !more || rest == multi
}

// outOfReach says that a filter starts with a wildcard, but the name, or the
// other filter, with a $ that no wildcard stands for [MQTT-4.7.2-1].
func outOfReach(filter, other string) bool {
	return reserved(other) && filter != "" && (filter[0] == '+' || filter[0] == '#')
}
