package topic

import "strings"

// Organization returns the first level of a name or of a stripped filter: the
// organization it belongs to, if it is inside a wall at all.
func Organization(topic string) string {
	org, _, _ := strings.Cut(topic, "/")
	return org
}

// InsideWall is the wall between organizations, and the only place where it
// stands. It reports whether a name, or a filter, is below "{org}/": its first
// level is literally org and there is at least one more level. No wildcard can
// stand for the organization, so all that such a filter matches is the
// organization's own.
//
// A SUBSCRIBE's filter must go through Parse first, and it is the Filter of
// the result that is asked about: "$share/g/globex/x" is a matter of globex.
// (Asked about an unparsed filter with a prefix, InsideWall says no.)
func InsideWall(org, filterOrName string) bool {
	if org == "" || hasWildcard(org) || strings.IndexByte(org, '/') >= 0 {
		return false // not an organization; "+" must never open the wall
	}
	rest, ok := strings.CutPrefix(filterOrName, org)
	return ok && rest != "" && rest[0] == '/'
}
