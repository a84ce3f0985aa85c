package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// CreateRule adds a rule to an app's list.
func (a *API) CreateRule(ctx context.Context, request spec.CreateRuleRequestObject) (spec.CreateRuleResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of, added := app.Entry().App, newRule(request.Body)
	added.ID = tenant.NewID("rule")
	acl, err := a.updateACL(ctx, of, "acl.rule.create", added.ID, request.Params.IfMatch, func(rules []tenant.Rule) ([]tenant.Rule, error) {
		place, err := placeOf(request.Body.Position, len(rules), len(rules))
		if err != nil {
			return nil, err
		}
		if len(rules) >= auth.MaxRules {
			return nil, fault.Newf(fault.QuotaExceeded, "an app has at most %d rules", auth.MaxRules)
		}
		return slices.Insert(slices.Clone(rules), place, added), alone(of, added)
	})
	if err != nil {
		return nil, err
	}
	return spec.CreateRule201JSONResponse{
		Body: ruleView(added), Headers: spec.CreateRule201ResponseHeaders{ETag: etag(acl.Version)},
	}, nil
}

// GetRule answers one rule.
func (a *API) GetRule(ctx context.Context, request spec.GetRuleRequestObject) (spec.GetRuleResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	acl, err := a.deps.Store.ACL(ctx, caller.Organization, request.App)
	if err != nil {
		return nil, err
	}
	at, err := findRule(acl.Rules, request.Rule)
	if err != nil {
		return nil, err
	}
	return spec.GetRule200JSONResponse{
		Body: ruleView(acl.Rules[at]), Headers: spec.GetRule200ResponseHeaders{ETag: etag(acl.Version)},
	}, nil
}

// PutRule replaces one rule, and moves it if the body says where to.
func (a *API) PutRule(ctx context.Context, request spec.PutRuleRequestObject) (spec.PutRuleResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of, next := app.Entry().App, newRule(request.Body)
	next.ID = request.Rule
	acl, err := a.updateACL(ctx, of, "acl.rule.update", next.ID, request.Params.IfMatch, func(rules []tenant.Rule) ([]tenant.Rule, error) {
		from, err := findRule(rules, next.ID)
		if err != nil {
			return nil, err
		}
		place, err := placeOf(request.Body.Position, from, len(rules)-1)
		if err != nil {
			return nil, err
		}
		return slices.Insert(slices.Delete(slices.Clone(rules), from, from+1), place, next), alone(of, next)
	})
	if err != nil {
		return nil, err
	}
	return spec.PutRule200JSONResponse{
		Body: ruleView(next), Headers: spec.PutRule200ResponseHeaders{ETag: etag(acl.Version)},
	}, nil
}

// DeleteRule takes one rule out.
func (a *API) DeleteRule(ctx context.Context, request spec.DeleteRuleRequestObject) (spec.DeleteRuleResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	_, err = a.updateACL(ctx, app.Entry().App, "acl.rule.delete", request.Rule, request.Params.IfMatch, func(rules []tenant.Rule) ([]tenant.Rule, error) {
		at, err := findRule(rules, request.Rule)
		if err != nil {
			return nil, err
		}
		return slices.Delete(slices.Clone(rules), at, at+1), nil
	})
	if err != nil {
		return nil, err
	}
	return spec.DeleteRule204Response{}, nil
}

// updateACL changes an app's rules, leaves an entry in the audit log and tells
// all nodes.
func (a *API) updateACL(
	ctx context.Context, app tenant.App, action, target string, ifMatch *string, change func([]tenant.Rule) ([]tenant.Rule, error),
) (tenant.ACL, error) {
	version, err := versionOf(ifMatch)
	if err != nil {
		return tenant.ACL{}, err
	}
	audited, entry := a.audited(ctx, app.ID, action, target)
	acl, err := a.deps.Store.UpdateACL(audited, app.Organization, app.ID, version, func(old []tenant.Rule) ([]tenant.Rule, error) {
		next, err := change(old)
		entry.Before, entry.After = jsonOf(aclView(tenant.ACL{Rules: old})), jsonOf(aclView(tenant.ACL{Rules: next}))
		return next, err
	})
	if err != nil {
		return tenant.ACL{}, err
	}
	a.changed(ctx, app.Organization, app.ID)
	return acl, nil
}

func newRule(body *spec.NewRule) tenant.Rule {
	return tenant.Rule{
		Effect: tenant.Effect(body.Effect), Action: tenant.Action(body.Action), Topic: body.Topic, Who: whoOf(body.Who),
	}
}

// alone checks a rule by itself: the fault points at the body's own field.
func alone(app tenant.App, rule tenant.Rule) error {
	_, err := auth.Compile(app, tenant.ACL{Rules: []tenant.Rule{rule}})
	return without("/rules/0", err)
}

func findRule(rules []tenant.Rule, id string) (int, error) {
	at := slices.IndexFunc(rules, func(r tenant.Rule) bool { return r.ID == id })
	if at < 0 {
		return 0, fault.New(fault.NotFound, "there is no such rule")
	}
	return at, nil
}

// placeOf reads where a rule is to stand; most is the last place there is.
func placeOf(position *int32, otherwise, most int) (int, error) {
	if position == nil {
		return otherwise, nil
	}
	if int(*position) > most {
		return 0, fault.Newf(fault.Invalid, "must be 0 to %d", most).At("/position")
	}
	return int(*position), nil
}

// knownRules refuses ids of rules that are not the app's, and one id twice.
func knownRules(rules, old []tenant.Rule) error {
	seen := make(map[string]bool, len(rules))
	for _, rule := range old {
		seen[rule.ID] = false
	}
	for i, rule := range rules {
		taken, known := seen[rule.ID]
		switch {
		case rule.ID == "":
		case !known:
			return fault.New(fault.Invalid, "must be the id of one of the app's rules; new ones get theirs from the server").At(fmt.Sprintf("/rules/%d/id", i))
		case taken:
			return fault.New(fault.Invalid, "must not be the id of two rules").At(fmt.Sprintf("/rules/%d/id", i))
		default:
			seen[rule.ID] = true
		}
	}
	return nil
}
