package topic

import "strings"

// A valid filter is a row of levels, each a word or +, and perhaps a # at the
// end; there are more words than any filter can name. Covers and Intersects
// therefore decide level by level, from the left, exactly. Two things need
// care:
//
//   - Names that start with $ are not matched by a leading wildcard.
//     [MQTT-4.7.2-1]
//   - The empty string is not a name [MQTT-4.7.3-1], though it would be the
//     parent that "/#" includes and one of the words that "+" stands for.
//
// The bounds on length and depth are not taken into account: at their very
// edge the answers are those for unbounded names, which for Covers may be no
// where yes would do, and for Intersects yes where no would do.

// Covers reports whether every name that filter b matches is also matched by
// filter a. Both must be valid and stripped of any prefix.
func Covers(a, b string) bool {
	if outOfReach(a, b) {
		return false
	}
	for b = withoutEmptyName(b); a != multi; {
		if b == multi {
			return false // b may stop here or go on; a does one of the two at most
		}
		levelA, restA, moreA := strings.Cut(a, "/")
		levelB, restB, moreB := strings.Cut(b, "/")
		if levelA != single && levelA != levelB {
			return false // also where b has +, which is more than any word
		}
		if !moreA || !moreB {
			return !moreB && mayEnd(restA, moreA)
		}
		a, b = restA, restB
	}
	return true
}

// withoutEmptyName says in another way what # in the first level, or after an
// empty first level, means: that at least one more level is there, since no
// name is empty.
func withoutEmptyName(filter string) string {
	switch filter {
	case "#":
		return "+/#"
	case "/#":
		return "/+/#"
	}
	return filter
}

// Intersects reports whether some name is matched by both filters. Both must
// be valid and stripped of any prefix.
func Intersects(a, b string) bool {
	if outOfReach(a, b) || outOfReach(b, a) {
		return false
	}
	for a, b = withoutEmptyName(a), withoutEmptyName(b); a != multi && b != multi; {
		levelA, restA, moreA := strings.Cut(a, "/")
		levelB, restB, moreB := strings.Cut(b, "/")
		if levelA != levelB && levelA != single && levelB != single {
			return false
		}
		if !moreA || !moreB {
			return mayEnd(restA, moreA) && mayEnd(restB, moreB)
		}
		a, b = restA, restB
	}
	return true // a # stands for whatever the other goes on with
}
