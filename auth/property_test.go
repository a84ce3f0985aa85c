package auth_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/tenant"
)

// The names are all of up to four levels below acme/, of words of which one,
// "z", occurs in no filter. Filters have up to three levels and perhaps a #:
// among these names there is then a witness for every difference between two
// filters.
var words = []string{"chat", "users", "topics", "ana", "", "z"}

// universe returns the names.
func universe() []string {
	var names []string
	level := []string{"acme"}
	for range 4 {
		var next []string
		for _, prefix := range level {
			for _, w := range words {
				next = append(next, prefix+"/"+w)
			}
		}
		names = append(names, next...)
		level = next
	}
	return append(names, "acme")
}

// matches is a second opinion on topic.Match for filters with a literal first
// level: by its own recursion, on levels.
func matches(filter, name []string) bool {
	switch {
	case len(filter) > 0 && filter[0] == "#":
		return true
	case len(filter) == 0 || len(name) == 0:
		return len(filter) == len(name) || len(filter) == 1 && filter[0] == "#"
	}
	return (filter[0] == "+" || filter[0] == name[0]) && matches(filter[1:], name[1:])
}

// brute knows filters by the set of names that they match.
type brute struct {
	names [][]string
	sets  map[string][]bool
}

func (b *brute) set(filter string) []bool {
	set, ok := b.sets[filter]
	if !ok {
		levels := strings.Split(filter, "/")
		for _, name := range b.names {
			set = append(set, matches(levels, name))
		}
		b.sets[filter] = set
	}
	return set
}

// compare says whether a contains b, and whether they share anything.
func (b *brute) compare(one, other string) (contains, shares bool) {
	contains = true
	a, c := b.set(one), b.set(other)
	for i := range c {
		contains = contains && (a[i] || !c[i])
		shares = shares || a[i] && c[i]
	}
	return contains, shares
}

// subscribing is the definition, word for word, on sets: the index of the rule
// that decides about a filter, or -1.
func (b *brute) subscribing(rules []tenant.Rule, filter string) int {
	return slices.IndexFunc(rules, func(r tenant.Rule) bool {
		contains, shares := b.compare(strings.ReplaceAll(r.Topic, "${user}", "ana"), filter)
		return r.Action != tenant.Publish && (r.Effect == tenant.Deny && shares || r.Effect == tenant.Allow && contains)
	})
}

// first is the index of the first rule for an action that matches name i, or -1.
func (b *brute) first(rules []tenant.Rule, action tenant.Action, i int) int {
	return slices.IndexFunc(rules, func(r tenant.Rule) bool {
		return (r.Action == action || r.Action == tenant.All) && b.set(strings.ReplaceAll(r.Topic, "${user}", "ana"))[i]
	})
}

// allows says whether what decides allows.
func allows(rules []tenant.Rule, by int) bool { return by >= 0 && rules[by].Effect == tenant.Allow }

// explanation is what is said if a rule of all decides, of which own are the app's.
func explanation(all []tenant.Rule, own, by int, action tenant.Action) auth.Explanation {
	if by < 0 {
		return auth.Explanation{By: auth.ByNothing}
	}
	e := auth.Explanation{
		Allowed: allows(all, by), By: auth.ByRule, Index: by, Relation: auth.Matches,
		Filter: strings.ReplaceAll(all[by].Topic, "${user}", "ana"),
	}
	if by >= own {
		e.By, e.Index = auth.ByDefaultGrant, 0
	}
	switch {
	case action == tenant.Subscribe && e.Allowed:
		e.Relation = auth.Covers
	case action == tenant.Subscribe:
		e.Relation = auth.Intersects
	}
	return e
}

// randomFilter is acme/ and up to three levels and perhaps a #. It leans to
// the well-known topics, so that the default grants are met too.
func randomFilter(rng *rand.Rand, user string) string {
	levels := []string{"acme"}
	if rng.IntN(2) == 0 {
		levels = append(levels, "chat")
	}
	for range rng.IntN(4 - len(levels) + 1) {
		pick := rng.IntN(len(words) + 2)
		switch {
		case pick >= len(words)-1:
			levels = append(levels, "+")
		case words[pick] == "ana":
			levels = append(levels, user)
		default:
			levels = append(levels, words[pick])
		}
	}
	if len(levels) == 1 || rng.IntN(3) == 0 {
		levels = append(levels, "#")
	}
	return strings.Join(levels, "/")
}

func TestDecisionsAgreeWithBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := &brute{sets: make(map[string][]bool)}
	names := universe()
	for _, name := range names {
		b.names = append(b.names, strings.Split(name, "/"))
	}
	id := auth.Identity{Org: "acme", App: "chat", User: "ana"}
	defaults := []tenant.Rule{
		rule(tenant.Allow, tenant.Subscribe, "acme/chat/users/ana/#"),
		rule(tenant.Allow, tenant.Subscribe, "acme/chat/topics/#"),
		rule(tenant.Allow, tenant.Subscribe, "acme/chat/broadcast"),
	}
	actions := []tenant.Action{tenant.All, tenant.Subscribe, tenant.Publish}
	granted := 0
	for range 100_000 {
		var rules []tenant.Rule
		for range 1 + rng.IntN(3) {
			effect := tenant.Allow
			if rng.IntN(2) == 0 {
				effect = tenant.Deny
			}
			rules = append(rules, rule(effect, actions[rng.IntN(len(actions))], randomFilter(rng, "${user}")))
		}
		p := compile(t, rules...)
		all := slices.Concat(rules, defaults)

		filter := randomFilter(rng, "ana")
		may := p.MaySubscribe(&id, filter)
		by := b.subscribing(all, filter)
		if want := allows(all, by); may != want {
			t.Fatalf("subscribe to %q: %t, want %t by %+v", filter, may, want, rules)
		}
		if got, want := p.Explain(&id, tenant.Subscribe, filter), explanation(all, len(rules), by, tenant.Subscribe); got != want {
			t.Fatalf("subscribe to %q: it is said %+v, want %+v by %+v", filter, got, want, rules)
		}
		i := rng.IntN(len(names))
		if may {
			granted++
			// No delivery is checked, so all of a granted filter has to be
			// allowed, name by name.
			for i, in := range b.set(filter) {
				if in && !allows(all, b.first(all, tenant.Subscribe, i)) {
					t.Fatalf("%q is granted and leaks %q by %+v", filter, names[i], rules)
				}
			}
		}
		why := auth.Explanation{By: auth.ByWall}
		if names[i] != "acme" {
			why = explanation(rules, len(rules), b.first(rules, tenant.Publish, i), tenant.Publish)
		}
		if got := p.MayPublish(&id, names[i]); got != why.Allowed {
			t.Fatalf("publish to %q: %t, want %t by %+v", names[i], got, why.Allowed, rules)
		}
		if got := p.Explain(&id, tenant.Publish, names[i]); got != why {
			t.Fatalf("publish to %q: it is said %+v, want %+v by %+v", names[i], got, why, rules)
		}
	}
	if granted < 1000 {
		t.Errorf("only %d of the filters were granted: the test says little", granted)
	}
}

// covers is the definition of what a list of a token's acl claim leaves of a
// filter: some of its own contains it.
func (b *brute) covers(of []string, filter string) bool {
	return of == nil || slices.ContainsFunc(of, func(one string) bool { contains, _ := b.compare(one, filter); return contains })
}

// TestTokensOnlyNarrow: a token's acl claim leaves what the rules allow and it
// allows too, name by name, and the access tester says so.
func TestTokensOnlyNarrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := &brute{sets: make(map[string][]bool)}
	names := universe()
	for _, name := range names {
		b.names = append(b.names, strings.Split(name, "/"))
	}
	e := entry("acme", "chat")
	narrowed, left := 0, 0
	for range 1_000 {
		e.ACL.Rules = nil
		for range 1 + rng.IntN(3) {
			e.ACL.Rules = append(e.ACL.Rules, rule(tenant.Allow, tenant.All, randomFilter(rng, "${user}")))
		}
		src := newSource(e)
		dir := auth.NewDirectory(src, atNoon)
		claim := auth.Narrowing{Publish: randomFilters(rng), Subscribe: randomFilters(rng)}
		wide, narrow := deviceOf(t, dir, nil), deviceOf(t, dir, &claim)
		app := lookUp(t, dir, "acme", "chat")
		for range 20 {
			name, filter := names[rng.IntN(len(names))], randomFilter(rng, "ana")
			for _, one := range []struct {
				action    tenant.Action
				topic     string
				was, is   bool
				remaining bool
			}{
				{tenant.Publish, name, wide.MayPublish(name), narrow.MayPublish(name), b.covers(claim.Publish, name)},
				{tenant.Subscribe, filter, wide.MaySubscribe(filter), narrow.MaySubscribe(filter), b.covers(claim.Subscribe, filter)},
				{tenant.Subscribe, "$share/g/" + filter, wide.MaySubscribe(filter), narrow.MaySubscribe("$share/g/" + filter), b.covers(claim.Subscribe, filter)},
			} {
				if one.is != (one.was && one.remaining) {
					t.Fatalf("%s %q: %t, and %t without the claim %+v", one.action, one.topic, one.is, one.was, claim)
				}
				why, err := app.Explain(auth.Question{User: "ana", Action: one.action, Topic: one.topic, ACL: &claim})
				if err != nil || why.Allowed != one.is || (why.By == auth.ByToken) != (one.was && !one.is) {
					t.Fatalf("%s %q with %+v: it is said %+v, %v", one.action, one.topic, claim, why, err)
				}
				if one.is {
					left++
				} else if one.was {
					narrowed++
				}
			}
		}
	}
	if narrowed < 1000 || left < 1000 {
		t.Errorf("only %d decisions were narrowed and %d left: the test says little", narrowed, left)
	}
}

// randomFilters are what a token narrows an action to; nil is not at all.
func randomFilters(rng *rand.Rand) []string {
	if rng.IntN(4) == 0 {
		return nil
	}
	filters := []string{}
	for range rng.IntN(4) {
		filters = append(filters, randomFilter(rng, "ana"))
	}
	return filters
}

// deviceOf is a device of ana's with a token that was issued for it.
func deviceOf(t *testing.T, dir *auth.Directory, acl *auth.Narrowing) *auth.Device {
	t.Helper()
	token, err := auth.IssueToken(t.Context(), lookUp(t, dir, "acme", "chat"), auth.TokenRequest{User: "ana", ACL: acl, TTL: time.Hour}, noon)
	if err != nil {
		t.Fatal(err)
	}
	d, err := connect(t, auth.NewDevices(dir, atNoon), "acme/chat", token.Text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
