package auth

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// The placeholders of a rule's topic. Each stands for exactly one level.
const (
	orgPlaceholder    = "${org}"
	appPlaceholder    = "${app}"
	userPlaceholder   = "${user}"
	devicePlaceholder = "${device}"
)

// placeholders that Compile cannot fill in: they differ from client to client.
const (
	needsUser = 1 << iota
	needsDevice
	needsTags // of default grants only: the filter is a prefix, once per tag
)

// rule is an access rule with ${org} and ${app} filled in.
type rule struct {
	deny               bool
	publish, subscribe bool
	who                tenant.Who
	filter             string
	needs              uint8 // what is still to be filled in
}

// appliesTo says whether the rule is for this identity at all.
func (r *rule) appliesTo(id *Identity) bool {
	switch {
	case r.who.Everyone:
		return true
	case r.who.User != "":
		return r.who.User == id.User
	case r.who.Tag != "":
		return slices.Contains(id.Tags, r.who.Tag)
	default:
		return r.who.Role != "" && r.who.Role == id.Role
	}
}

// filters yields the topic filters that the rule is about for this identity:
// one as a rule; none if a placeholder has no value; one per tag for the
// default grant of tags. Values were checked when the client connected, so
// each is one plain level; one that is not fills nothing in.
func (r *rule) filters(id *Identity) iter.Seq[string] {
	return func(yield func(string) bool) {
		if r.needs == needsTags {
			for _, tag := range id.Tags {
				if validID(tag) == nil && !yield(r.filter+tag) {
					return
				}
			}
			return
		}
		if r.needs&needsUser != 0 && validID(id.User) != nil || r.needs&needsDevice != 0 && validID(id.Device) != nil {
			return
		}
		if r.needs == 0 {
			yield(r.filter)
		} else {
			yield(fillIn(r.filter, id))
		}
	}
}

// fillIn gives the levels that are placeholders their values.
func fillIn(filter string, id *Identity) string {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch level {
		case userPlaceholder:
			levels[i] = id.User
		case devicePlaceholder:
			levels[i] = id.Device
		}
	}
	return strings.Join(levels, "/")
}

// compileRule checks one rule of an app. Faults point into the rule.
func compileRule(app tenant.App, r tenant.Rule) (rule, *fault.Error) {
	c := rule{who: r.Who}
	switch r.Effect {
	case tenant.Allow:
	case tenant.Deny:
		c.deny = true
	default:
		return c, fault.New(fault.Invalid, `must be "allow" or "deny"`).At("/effect")
	}
	switch r.Action {
	case tenant.Publish:
		c.publish = true
	case tenant.Subscribe:
		c.subscribe = true
	case tenant.All:
		c.publish, c.subscribe = true, true
	default:
		return c, fault.New(fault.Invalid, `must be "publish", "subscribe" or "all"`).At("/action")
	}
	if err := validWho(r.Who); err != nil {
		return c, err
	}
	var err *fault.Error
	if c.filter, c.needs, err = compileTopic(app, r.Topic); err != nil {
		return c, err.At("/topic")
	}
	return c, nil
}

// validWho refuses a rule that is for nobody, for two kinds of people, or for
// somebody who cannot exist.
func validWho(who tenant.Who) *fault.Error {
	named := 0
	if who.Everyone {
		named++
	}
	for _, one := range []struct{ field, value string }{
		{"/who/user", who.User}, {"/who/tag", who.Tag}, {"/who/role", who.Role},
	} {
		if one.value == "" {
			continue
		}
		named++
		if err := validID(one.value); err != nil {
			return fault.New(fault.Invalid, err.Error()).At(one.field)
		}
	}
	if named != 1 {
		return fault.New(fault.Invalid, "must have exactly one of everyone, user, tag and role").At("/who")
	}
	return nil
}

// compileTopic fills in what is the same for all clients of the app and checks
// the rest with stand-ins.
func compileTopic(app tenant.App, pattern string) (filter string, needs uint8, _ *fault.Error) {
	levels := strings.Split(pattern, "/")
	sample := make([]string, len(levels))
	for i, level := range levels {
		sample[i] = level
		switch {
		case level == orgPlaceholder:
			levels[i], sample[i] = app.Organization, app.Organization
		case level == appPlaceholder:
			levels[i], sample[i] = app.ID, app.ID
		case level == userPlaceholder:
			needs, sample[i] = needs|needsUser, "user"
		case level == devicePlaceholder:
			needs, sample[i] = needs|needsDevice, "device"
		case strings.Contains(level, "${"):
			return "", 0, placeholderFault(level)
		}
	}
	probe := strings.Join(sample, "/")
	if s, err := topic.Parse(probe); err != nil {
		return "", 0, fault.New(fault.Invalid, "is not a topic filter: "+err.Error())
	} else if s.Kind != topic.Plain {
		return "", 0, fault.New(fault.Invalid, "must be a plain filter; it holds for $share, $queue and $local subscriptions too")
	}
	// A placeholder in the first level is no organization, even if its value
	// happened to be the name of one.
	if levels[0] != app.Organization || !topic.InsideWall(app.Organization, probe) {
		return "", 0, fault.Newf(fault.OutsideWall, "must start with %s/ or ${org}/", app.Organization)
	}
	return strings.Join(levels, "/"), needs, nil
}

func placeholderFault(level string) *fault.Error {
	if strings.HasPrefix(level, "${") && strings.Index(level, "}") == len(level)-1 {
		return fault.New(fault.Invalid, "has an unknown placeholder: there are ${user}, ${device}, ${app} and ${org}")
	}
	return fault.New(fault.Invalid, "has a placeholder that is only a part of a level")
}

// pointer is the JSON pointer of a field of rule i.
func pointer(i int, field string) string { return "/rules/" + strconv.Itoa(i) + field }
