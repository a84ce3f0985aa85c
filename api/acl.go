package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// anyVersion makes a change whatever the version of what it changes is.
const anyVersion int64 = -1

// GetACL answers an app's access rules.
func (a *API) GetACL(ctx context.Context, request spec.GetACLRequestObject) (spec.GetACLResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	acl, err := a.deps.Store.ACL(ctx, caller.Organization, request.App)
	if err != nil {
		return nil, err
	}
	return spec.GetACL200JSONResponse{
		Body: aclView(acl), Headers: spec.GetACL200ResponseHeaders{ETag: etag(acl.Version)},
	}, nil
}

// PutACL replaces an app's access rules and tells all nodes.
func (a *API) PutACL(ctx context.Context, request spec.PutACLRequestObject) (spec.PutACLResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of, rules := app.Entry().App, rulesOf(request.Body)
	if _, err := auth.Compile(of, tenant.ACL{Rules: rules}); err != nil {
		return nil, err
	}
	acl, err := a.updateACL(ctx, of, "acl.replace", "", request.Params.IfMatch, func(old []tenant.Rule) ([]tenant.Rule, error) {
		return rules, knownRules(rules, old)
	})
	if err != nil {
		return nil, err
	}
	return spec.PutACL200JSONResponse{
		Body: aclView(acl), Headers: spec.PutACL200ResponseHeaders{ETag: etag(acl.Version)},
	}, nil
}

// TestACL answers what a device may do, and why.
func (a *API) TestACL(ctx context.Context, request spec.TestACLRequestObject) (spec.TestACLResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	body := request.Body
	question := auth.Question{
		User: body.User, Device: deref(body.Device), Role: deref(body.Role),
		Action: tenant.Action(body.Action), Topic: body.Topic, ACL: narrowingOf(body.ACL),
	}
	if body.Tags != nil {
		question.Tags = *body.Tags
	}
	why, err := app.Explain(question)
	if err != nil {
		return nil, err
	}
	return spec.TestACL200JSONResponse(decisionView(why)), nil
}

func decisionView(why auth.Explanation) spec.AccessDecision {
	view := spec.AccessDecision{
		Allowed: why.Allowed, DecidedBy: spec.AccessDecisionDecidedBy(why.By), Filter: ref(why.Filter),
	}
	if why.Relation != "" {
		relation := spec.AccessDecisionRelation(why.Relation)
		view.Relation = &relation
	}
	if why.By == auth.ByRule {
		index, rule := int32(why.Index), ruleView(why.Rule) //nolint:gosec // an app has 1,000 at most
		view.RuleIndex, view.Rule = &index, &rule
	}
	return view
}

func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// versionOf reads If-Match; absent and * match any version.
func versionOf(ifMatch *string) (int64, error) {
	if ifMatch == nil || *ifMatch == "*" {
		return anyVersion, nil
	}
	version, err := strconv.ParseInt(strings.Trim(*ifMatch, `"`), 10, 64)
	if err != nil {
		return 0, parameterError{error: fault.Wrap(fault.Invalid, "is no ETag of this", err), parameter: "If-Match"}
	}
	return version, nil
}

func rulesOf(acl *spec.ACL) []tenant.Rule {
	rules := make([]tenant.Rule, len(acl.Rules))
	for i, rule := range acl.Rules {
		rules[i] = tenant.Rule{
			ID: deref(rule.ID), Effect: tenant.Effect(rule.Effect), Action: tenant.Action(rule.Action),
			Topic: rule.Topic, Who: whoOf(rule.Who),
		}
	}
	return rules
}

func whoOf(who spec.Who) tenant.Who {
	return tenant.Who{Everyone: who.Everyone != nil, User: deref(who.User), Tag: deref(who.Tag), Role: deref(who.Role)}
}

func aclView(acl tenant.ACL) spec.ACL {
	view := spec.ACL{Rules: make([]spec.Rule, len(acl.Rules))}
	for i, rule := range acl.Rules {
		view.Rules[i] = ruleView(rule)
	}
	return view
}

func ruleView(rule tenant.Rule) spec.Rule {
	view := spec.Rule{
		ID: ref(rule.ID), Effect: spec.RuleEffect(rule.Effect), Action: spec.RuleAction(rule.Action), Topic: rule.Topic,
		Who: spec.Who{User: ref(rule.Who.User), Tag: ref(rule.Who.Tag), Role: ref(rule.Who.Role)},
	}
	if rule.Who.Everyone {
		everyone := spec.WhoEveryone(true)
		view.Who.Everyone = &everyone
	}
	return view
}

// ref and deref translate between a string that may be empty and one that may
// be absent.
func ref(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
