package auth

import (
	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// Decider is what a decision about a topic comes from.
type Decider string

// The deciders. What nothing decides is denied.
const (
	ByRule         Decider = "rule"          // one of the app's access rules
	ByDefaultGrant Decider = "default_grant" // what devices may do, or in mounted mode may not, without a rule
	ByNothing      Decider = "nothing"       // no rule and no default grant is about it
	ByWall         Decider = "wall"          // it is outside of the organization: no rule is asked
	ByToken        Decider = "token"         // the rules allow it, and the token's acl claim leaves it out
)

// Relation is how what decided stands to what was asked about.
type Relation string

// The relations.
const (
	Matches    Relation = "matches"    // to a topic name that is published to
	Covers     Relation = "covers"     // an allowing filter, to all of a filter that is subscribed to
	Intersects Relation = "intersects" // a denying filter, to some of it
)

// Explanation is a decision and where it comes from.
type Explanation struct {
	Allowed bool
	By      Decider
	Rule    tenant.Rule // of ByRule, and its place in the list
	Index   int
	Filter  string // what decided, with its placeholders filled in; of ByRule and ByDefaultGrant
	// Relation of Filter to the topic; empty if there is none.
	Relation Relation
}

// Question is what a device might do.
type Question struct {
	User, Device string // Device is the one of a token or a login; empty: none
	Tags         []string
	Role         string
	Action       tenant.Action // Publish or Subscribe
	Topic        string        // a name, or for Subscribe a filter, also of a share group; whole, in mounted mode too
	ACL          *Narrowing    // the claim of the token, as it stands there
}

// check refuses what no device could ask. Its faults point into the request
// body, as in "/topic".
func (q *Question) check(app *App) error {
	claims := TokenRequest{User: q.User, Device: q.Device, Tags: q.Tags, ACL: q.ACL, TTL: MaxTokenLifetime}
	if err := claims.check(app); err != nil {
		return err
	}
	if q.Role != "" {
		if err := ValidRole(q.Role); err != nil {
			return invalid(err, "/role")
		}
	}
	err := topic.ValidName(q.Topic)
	if q.Action == tenant.Subscribe {
		_, err = topic.Parse(q.Topic)
	}
	if err != nil {
		return fault.New(fault.Invalid, "is no topic for that: "+err.Error()).At("/topic")
	}
	return nil
}

// Explain says what an edge would answer a device, and why: it asks the policy
// as an edge does.
func (a *App) Explain(q Question) (Explanation, error) {
	if err := q.check(a); err != nil {
		return Explanation{}, err
	}
	state := a.record.current()
	of := &state.entry.App
	narrow, wrong := q.ACL.compile(of.Organization, of.Mount())
	if wrong != nil {
		return Explanation{}, wrong.At("/acl" + wrong.Field)
	}
	id := Identity{Org: of.Organization, App: of.ID, User: q.User, Device: q.Device, Tags: q.Tags, Role: q.Role}
	e := state.policy.Explain(&id, q.Action, q.Topic)
	if e.Allowed && !narrow.leaves(q.Action, q.Topic) {
		return Explanation{By: ByToken}, nil
	}
	if e.By == ByRule {
		e.Rule = state.entry.ACL.Rules[e.Index]
	}
	return e, nil
}

// Explain says what MayPublish or MaySubscribe answers, and why. It leaves the
// rule itself out, which the policy does not keep.
func (p *Policy) Explain(id *Identity, action tenant.Action, name string) Explanation {
	d, relation := p.publishing(id, name), Matches
	if action == tenant.Subscribe {
		d, relation = p.subscribing(id, name), Covers
	}
	e := Explanation{Allowed: p.allows(d), Filter: d.filter}
	switch {
	case d.by == byWall:
		e.By = ByWall
		return e
	case d.by < 0:
		e.By = ByNothing
		return e
	case d.by < p.own:
		e.By, e.Index = ByRule, d.by
	default:
		e.By = ByDefaultGrant
	}
	if e.Relation = relation; relation == Covers && !e.Allowed {
		e.Relation = Intersects
	}
	return e
}
