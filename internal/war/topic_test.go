package war_test

import "strings"

// What follows is a second opinion on broker/topic: the oracle must not be
// wrong where the server is.

// stripped is a filter without $share/<group>/, $queue/ or $local/.
func stripped(filter string) (prefix, rest string) {
	word, after, ok := strings.Cut(filter, "/")
	switch {
	case !ok:
	case word == "$queue" || word == "$local":
		return word + "/", after
	case word == "$share":
		if group, rest, ok := strings.Cut(after, "/"); ok {
			return word + "/" + group + "/", rest
		}
	}
	return "", filter
}

// inside reports whether a name or a stripped filter is an organization's.
func inside(org, topic string) bool {
	first, _, below := strings.Cut(topic, "/")
	return below && first == org
}

// covers reports whether a filter matches a name.
func covers(filter, name string) bool {
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	if strings.HasPrefix(name, "$") && (f[0] == "+" || f[0] == "#") {
		return false
	}
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(n) || level != "+" && level != n[i]:
			return false
		case i == len(n)-1 && len(f) == len(n)+1 && f[i+1] == "#": // the parent
			return true
		}
	}
	return len(f) == len(n)
}
