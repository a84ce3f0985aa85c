package jetstream

import (
	"strconv"
	"strings"

	"github.com/fanfare-mq/fanfare/broker/topic"
)

// scanFilters is how many filters a consumer is given; more are read as what
// they have in common.
const scanFilters = 64

// scanSubjects are subjects of a shard that hold all that filters match and do
// not overlap, which a consumer could not have. They may hold more.
func scanSubjects(shard int, filters []string) []string {
	prefix := logPrefix + strconv.Itoa(shard) + ".*."
	filters = uncovered(filters)
	if len(filters) > scanFilters || overlap(filters) {
		return []string{prefix + commonLevels(filters) + ">"}
	}
	subjects := make([]string, 0, len(filters))
	for _, f := range filters {
		levels, err := logLevels(f)
		if err != nil {
			continue // it was refused before
		}
		subjects = append(subjects, prefix+levels)
	}
	return subjects
}

// uncovered leaves out filters that another covers.
func uncovered(filters []string) []string {
	if len(filters) > 8*scanFilters {
		return filters // quadratic, and too many in any case
	}
	var kept []string
	for i, f := range filters {
		covered := false
		for j, g := range filters {
			covered = covered || i != j && topic.Covers(g, f) && (j < i || !topic.Covers(f, g))
		}
		if !covered {
			kept = append(kept, f)
		}
	}
	return kept
}

func overlap(filters []string) bool {
	for i, f := range filters {
		for _, g := range filters[:i] {
			if topic.Intersects(f, g) {
				return true
			}
		}
	}
	return false
}

// commonLevels are the literal levels that all filters begin with, encoded,
// with a dot behind each.
func commonLevels(filters []string) string {
	common := strings.Split(filters[0], "/")
	for _, f := range filters {
		levels := strings.Split(f, "/")
		n := 0
		for n < len(common) && n < len(levels) && common[n] == levels[n] && levels[n] != "+" && levels[n] != "#" {
			n++
		}
		common = common[:n]
	}
	var s []byte
	for _, level := range common {
		s = append(appendEncoded(s, level), '.')
	}
	return string(s)
}
