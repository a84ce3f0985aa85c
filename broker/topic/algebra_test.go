package topic_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/topic"
)

func TestCovers(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"acme/#", "acme/chat/#", true},
		{"acme/#", "acme", true},
		{"acme/#", "acme/+", true},
		{"acme/#", "acme/#", true},
		{"acme/chat/#", "acme/#", false},
		{"acme/+/#", "acme/#", false}, // the parent, acme
		{"acme/#", "acme/+/#", true},
		{"acme/+", "acme/#", false},
		{"acme/+", "acme/x", true},
		{"acme/x", "acme/+", false},
		{"acme/+/c", "acme/b/+", false},
		{"acme/+/+", "acme/b/+", true},
		{"acme/chat", "acme/chat/#", false},
		{"acme/", "acme/#", false},
		{"acmex/#", "acme/#", false},
		{"#", "acme/#", true},
		{"#", "/#", true},
		{"#", "$SYS/#", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/+", true},
		{"$SYS/#", "#", false},
		{"+/#", "#", true}, // no name has zero levels
		{"+/+/#", "#", false},
		{"/+/#", "/#", true}, // the parent of /# would be the empty name
		{"+/+/#", "/#", true},
		{"+/+", "/#", false},
		{"a/+/#", "a/#", false},
	}
	for _, tt := range tests {
		if got := topic.Covers(tt.a, tt.b); got != tt.want {
			t.Errorf("Covers(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestIntersects(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"a/#", "a/secret/#", true},
		{"a/#", "a", true},
		{"a/+", "a", false},
		{"a/+", "+/b", true},
		{"a/+/c", "a/b/+", true},
		{"a/+/c", "a/b/d", false},
		{"a/+/#", "a/#", true},
		{"a/b/#", "a", false},
		{"a/", "a/+", true},
		{"a/", "a", false},
		{"a/#", "b/#", false},
		{"#", "+", true},
		{"#", "$SYS/#", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/+", "$SYS/#", true},
		{"/#", "+", false}, // only in the empty name, which is none
		{"/#", "+/+", true},
		{"/#", "#", true},
	}
	for _, tt := range tests {
		if got := topic.Intersects(tt.a, tt.b); got != tt.want {
			t.Errorf("Intersects(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
		if got := topic.Intersects(tt.b, tt.a); got != tt.want {
			t.Errorf("Intersects(%q, %q) = %v, want %v", tt.b, tt.a, got, tt.want)
		}
	}
}

// words are what the filters of the brute force are made of, besides wildcards.
var words = []string{"a", "b", "", "$x"}

// universe is every name, one level deeper than the filters go, over their
// words and two more: "z" and "$z" stand for all the words that no filter
// mentions. Filters that tell apart any two names at all do so within it, so
// comparing there is exact.
func universe(depth int) []string {
	return names(append([]string{"z", "$z"}, words...), depth+1)
}

// names lists all names of up to depth levels.
func names(words []string, depth int) []string {
	return dropEmpty(rows(words, depth))
}

// filters lists all valid filters of up to depth levels.
func filters(words []string, depth int) []string {
	all := rows(append([]string{"+"}, words...), depth)
	for _, f := range rows(append([]string{"+"}, words...), depth-1) {
		all = append(all, f+"/#")
	}
	return dropEmpty(append(all, "#"))
}

func rows(words []string, depth int) []string {
	all := slices.Clone(words)
	for last := all; depth > 1; depth-- {
		var longer []string
		for _, head := range last {
			for _, word := range words {
				longer = append(longer, head+"/"+word)
			}
		}
		all = append(all, longer...)
		last = longer
	}
	return all
}

func dropEmpty(topics []string) []string {
	kept := topics[:0]
	for _, s := range topics {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// bits says of every name of the universe whether a filter matches it.
type bits []uint64

func matched(t *testing.T, filter string, names []string) bits {
	t.Helper()
	b := make(bits, (len(names)+63)/64)
	for i, name := range names {
		want := matchByTheBook(filter, name)
		if topic.Match(filter, name) != want {
			t.Fatalf("Match(%q, %q) = %v", filter, name, !want)
		}
		if want {
			b[i/64] |= 1 << (i % 64)
		}
	}
	return b
}

func (b bits) covers(c bits) bool {
	for i := range b {
		if c[i]&^b[i] != 0 {
			return false
		}
	}
	return true
}

func (b bits) intersects(c bits) bool {
	for i := range b {
		if b[i]&c[i] != 0 {
			return true
		}
	}
	return false
}

func bruteForce(t *testing.T, depth int) (all []string, sets []bits) {
	t.Helper()
	all = filters(words, depth)
	universe := universe(depth)
	for _, f := range all {
		if err := topic.ValidFilter(f); err != nil {
			t.Fatalf("%q: %v", f, err)
		}
		sets = append(sets, matched(t, f, universe))
	}
	return all, sets
}

func TestAlgebraAgreesWithEveryPair(t *testing.T) {
	all, sets := bruteForce(t, 3)
	for i, a := range all {
		for j, b := range all {
			if got, want := topic.Covers(a, b), sets[i].covers(sets[j]); got != want {
				t.Errorf("Covers(%q, %q) = %v, want %v", a, b, got, want)
			}
			if got, want := topic.Intersects(a, b), sets[i].intersects(sets[j]); got != want {
				t.Errorf("Intersects(%q, %q) = %v, want %v", a, b, got, want)
			}
		}
	}
}

// The decision that authorization takes with the algebra: a grant covers the
// filter and no denied name is among what it matches.
func TestAlgebraAgreesWithRandomTriples(t *testing.T) {
	all, sets := bruteForce(t, 4)
	random := rand.New(rand.NewPCG(3, 11)) // seeded, so that a failure comes again
	granted, covered := 0, 0
	for range 100_000 {
		f := random.IntN(len(all))
		grant := likely(random, all, f)
		deny := likely(random, all, f)
		got := topic.Covers(all[grant], all[f]) && !topic.Intersects(all[deny], all[f])
		want := sets[grant].covers(sets[f]) && !sets[deny].intersects(sets[f])
		if got != want {
			t.Errorf("filter %q, grant %q, deny %q: %v, want %v", all[f], all[grant], all[deny], got, want)
		}
		if want {
			granted++
		}
		if sets[grant].covers(sets[f]) {
			covered++
		}
	}
	t.Logf("%d filters; of 100,000 triples %d covered, %d granted", len(all), covered, granted)
	if covered < 5_000 || granted < 1_000 || granted == covered {
		t.Errorf("the sample says little: %d covered, %d granted", covered, granted)
	}
}

// likely picks any filter, or in one case of two one that differs from the
// given one in a few levels only: entirely random ones have little in common.
func likely(random *rand.Rand, all []string, like int) int {
	if random.IntN(2) == 0 {
		return random.IntN(len(all))
	}
	levels := strings.Split(all[like], "/")
	for i := range levels {
		if random.IntN(3) == 0 && levels[i] != "#" {
			levels[i] = append([]string{"+"}, words...)[random.IntN(len(words)+1)]
		}
	}
	if random.IntN(3) == 0 {
		levels = append(levels[:random.IntN(len(levels))], "#")
	}
	want := strings.Join(levels, "/")
	if i := slices.Index(all, want); i >= 0 {
		return i
	}
	return like // the one filter that is not one: the empty string
}

func BenchmarkCovers(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		topic.Covers("acme/chat/+/#", "acme/chat/users/ana/#")
	}
}

func BenchmarkIntersects(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		topic.Intersects("acme/chat/+/secret/#", "acme/chat/users/ana/#")
	}
}
