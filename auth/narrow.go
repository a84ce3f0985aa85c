package auth

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// maxNarrowing is how many filters a token may name for one action: each may be
// looked at whenever the device publishes or subscribes.
const maxNarrowing = 32

// Narrowing is the acl claim of a token: the device may do what the app's rules
// allow and it allows too. Its filters are as the device would write them, so
// bare in mounted mode.
type Narrowing struct {
	Publish   []string // topic filters; nil: as the rules have it; empty: nothing
	Subscribe []string
}

// UnmarshalJSON reads the claim. What it does not know would make the token
// wider than its issuer meant it, and so would null in place of an empty array.
func (n *Narrowing) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for name, raw := range all {
		var filters []string
		if err := json.Unmarshal(raw, &filters); err != nil {
			return err
		}
		switch {
		case bytes.Equal(raw, []byte("null")):
			return fault.New(fault.Invalid, "null is no array")
		case name == "publish":
			n.Publish = filters
		case name == "subscribe":
			n.Subscribe = filters
		default:
			return fault.New(fault.Invalid, "there is nothing of that name")
		}
	}
	return nil
}

// claim is what UnmarshalJSON reads.
func (n *Narrowing) claim() map[string][]string {
	claim := make(map[string][]string, 2)
	if n.Publish != nil {
		claim["publish"] = n.Publish
	}
	if n.Subscribe != nil {
		claim["subscribe"] = n.Subscribe
	}
	return claim
}

// narrowing is a Narrowing with whole filters that were checked. The nil one
// narrows nothing. It never changes.
type narrowing struct{ publish, subscribe []string }

// compile checks the filters and puts in front of them what the edge adds in
// mounted mode. Its faults point into the claim, as in "/publish/3".
func (n *Narrowing) compile(org, mount string) (*narrowing, *fault.Error) {
	if n == nil || n.Publish == nil && n.Subscribe == nil {
		return nil, nil
	}
	publish, err := wholeFilters(n.Publish, org, mount)
	if err != nil {
		return nil, err.At("/publish" + err.Field)
	}
	subscribe, err := wholeFilters(n.Subscribe, org, mount)
	if err != nil {
		return nil, err.At("/subscribe" + err.Field)
	}
	return &narrowing{publish, subscribe}, nil
}

func wholeFilters(filters []string, org, mount string) ([]string, *fault.Error) {
	if len(filters) > maxNarrowing {
		return nil, fault.Newf(fault.Invalid, "must have at most %d filters", maxNarrowing)
	}
	if filters == nil {
		return nil, nil
	}
	whole := make([]string, len(filters))
	for i, filter := range filters {
		whole[i] = mount + filter
		if err := checkNarrowing(org, filter, whole[i]); err != nil {
			return nil, err.At("/" + strconv.Itoa(i))
		}
	}
	return whole, nil
}

func checkNarrowing(org, filter, whole string) *fault.Error {
	s, err := topic.Parse(filter)
	if err == nil {
		_, err = topic.Parse(whole)
	}
	switch {
	case err != nil:
		return fault.New(fault.Invalid, "is not a topic filter: "+err.Error())
	case s.Kind != topic.Plain:
		return fault.New(fault.Invalid, "must be a plain filter; it holds for $share, $queue and $local subscriptions too")
	case !topic.InsideWall(org, whole):
		return fault.Newf(fault.OutsideWall, "must start with %s/", org)
	}
	return nil
}

// publishes says whether it leaves a topic name.
func (n *narrowing) publishes(name string) bool {
	return n == nil || n.publish == nil ||
		slices.ContainsFunc(n.publish, func(filter string) bool { return topic.Match(filter, name) })
}

// subscribes says whether it leaves a topic filter, with or without a prefix
// such as $share/<group>/: one of its own has to cover it.
func (n *narrowing) subscribes(filter string) bool {
	if n == nil || n.subscribe == nil {
		return true
	}
	s, err := topic.Parse(filter)
	return err == nil && slices.ContainsFunc(n.subscribe, func(of string) bool { return topic.Covers(of, s.Filter) })
}

func (n *narrowing) leaves(action tenant.Action, name string) bool {
	if action == tenant.Subscribe {
		return n.subscribes(name)
	}
	return n.publishes(name)
}
