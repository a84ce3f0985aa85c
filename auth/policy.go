package auth

import (
	"strings"

	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// MaxRules is the most rules an app may have: each SUBSCRIBE walks them all.
const MaxRules = 1000

// Policy is what the devices of one app may do: the app's rules, in order,
// followed by the default grants. It never changes and is safe for concurrent
// use. The zero Policy allows nothing.
type Policy struct {
	org, app string
	rules    []rule // the app's own first
	own      int    // how many of them are the app's own
	// reserved is what no topic that is published to may begin with, in mounted
	// mode: as the app's devices say it, the topic would begin with a $.
	reserved string
}

// Compile checks an app's rules. Its faults point at what is wrong, as in
// "/rules/3/topic".
func Compile(app tenant.App, acl tenant.ACL) (*Policy, error) {
	if len(acl.Rules) > MaxRules {
		return nil, fault.Newf(fault.Invalid, "must have at most %d rules", MaxRules).At("/rules")
	}
	grants := defaultGrants(app)
	p := &Policy{
		org: app.Organization, app: app.ID, own: len(acl.Rules),
		rules: make([]rule, 0, len(acl.Rules)+len(grants)),
	}
	for i, r := range acl.Rules {
		c, err := compileRule(app, r)
		if err != nil {
			return nil, err.At(pointer(i, err.Field))
		}
		p.rules = append(p.rules, c)
	}
	p.rules = append(p.rules, grants...)
	if app.Settings.Mounted {
		p.rules = append(p.rules, mountedGrants(app)...)
		p.reserved = app.TopicPrefix() + "/$"
	}
	return p, nil
}

// mountedGrants let the devices of a mounted app use topics of their own
// making ("presence", "example/#"), as clients do that know no prefix. The
// well-known topics stay what they are, and so does the wall.
func mountedGrants(app tenant.App) []rule {
	prefix := app.TopicPrefix() + "/"
	everyone := tenant.Who{Everyone: true}
	var rules []rule
	for _, space := range []string{"users", "devices", "topics", "tags", "broadcast"} {
		rules = append(rules, rule{deny: true, publish: true, subscribe: true, who: everyone, filter: prefix + space + "/#"})
	}
	return append(rules, rule{publish: true, subscribe: true, who: everyone, filter: prefix + "#"})
}

// defaultGrants is what every device may do unless a rule says otherwise.
func defaultGrants(app tenant.App) []rule {
	prefix := app.TopicPrefix() + "/"
	everyone := tenant.Who{Everyone: true}
	return []rule{
		{subscribe: true, who: everyone, filter: prefix + "users/" + userPlaceholder + "/#", needs: needsUser},
		{subscribe: true, who: everyone, filter: prefix + "topics/#"},
		{subscribe: true, who: everyone, filter: prefix + "broadcast"},
		{subscribe: true, who: everyone, filter: prefix + "tags/", needs: needsTags},
		{subscribe: true, who: everyone, filter: prefix + "devices/" + devicePlaceholder + "/#", needs: needsDevice},
		{publish: true, who: everyone, filter: prefix + "users/" + userPlaceholder + "/up/#", needs: needsUser},
	}
}

// MayPublish decides about a topic name: the first rule that matches it says
// so; what no rule or default grant matches is denied. Nothing outside the
// wall reaches the rules, nor in mounted mode what would begin with a $ for the
// app's devices.
func (p *Policy) MayPublish(id *Identity, name string) bool {
	return p.allows(p.publishing(id, name))
}

// MaySubscribe decides about a topic filter, with or without a prefix such as
// $share/<group>/. It is granted if a rule or a default grant allows all that
// it matches, and no earlier rule denies any of it. So nothing needs checking
// when a message is delivered.
//
// One grant has to cover the whole filter: that several together would is not
// looked at.
func (p *Policy) MaySubscribe(id *Identity, filter string) bool {
	return p.allows(p.subscribing(id, filter))
}

// decision is what decided: the index of a rule or default grant and its
// filter, filled in; or one of the indices below zero.
type decision struct {
	by     int
	filter string
}

const (
	byNone = -1 - iota // no rule and no default grant is about it
	byWall             // it is outside of the wall, or no topic at all
)

func (p *Policy) allows(d decision) bool { return d.by >= 0 && !p.rules[d.by].deny }

func (p *Policy) publishing(id *Identity, name string) decision {
	if !p.admits(id) || topic.ValidName(name) != nil || !topic.InsideWall(p.org, name) {
		return decision{by: byWall}
	}
	if p.reserved != "" && strings.HasPrefix(name, p.reserved) {
		return decision{by: byNone}
	}
	for i := range p.rules {
		r := &p.rules[i]
		if !r.publish || !r.appliesTo(id) {
			continue
		}
		for filter := range r.filters(id) {
			if topic.Match(filter, name) {
				return decision{i, filter}
			}
		}
	}
	return decision{by: byNone}
}

func (p *Policy) subscribing(id *Identity, filter string) decision {
	s, err := topic.Parse(filter)
	if err != nil || !p.admits(id) || !topic.InsideWall(p.org, s.Filter) {
		return decision{by: byWall}
	}
	for i := range p.rules {
		r := &p.rules[i]
		if !r.subscribe || !r.appliesTo(id) {
			continue
		}
		for of := range r.filters(id) {
			if r.deny && topic.Intersects(of, s.Filter) || !r.deny && topic.Covers(of, s.Filter) {
				return decision{i, of}
			}
		}
	}
	return decision{by: byNone}
}

// admits says whether the identity is one of this app's. The zero Policy
// admits nobody.
func (p *Policy) admits(id *Identity) bool {
	return p.org != "" && id.Org == p.org && id.App == p.app
}
