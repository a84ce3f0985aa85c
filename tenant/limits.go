package tenant

import (
	"time"

	"github.com/fanfare-mq/fanfare/fault"
)

// Limits bound what an organization uses in the whole cluster, all its apps
// together. They come from its plan; 0 means that there is no such limit.
type Limits struct {
	Apps          int64 `json:"apps,omitempty"`
	Members       int64 `json:"members,omitempty"`
	Connections   int64 `json:"connections,omitempty"`
	ConnectRate   int64 `json:"connect_rate,omitempty"`  // accepted connects a second
	PublishRate   int64 `json:"publish_rate,omitempty"`  // messages a second, from devices and the API
	PublishBytes  int64 `json:"publish_bytes,omitempty"` // their payload bytes a second
	FanoutBytes   int64 `json:"fanout_bytes,omitempty"`  // payload bytes a second handed to devices
	Subscriptions int64 `json:"subscriptions,omitempty"` // of connected devices
	Sessions      int64 `json:"sessions,omitempty"`      // that outlive their connection
	Retained      int64 `json:"retained,omitempty"`      // messages
	TopicLevels   int64 `json:"topic_levels,omitempty"`  // of a topic name or filter
	TopicBytes    int64 `json:"topic_bytes,omitempty"`   // of a topic name or filter
	PayloadBytes  int64 `json:"payload_bytes,omitempty"` // of a message
	APIRate       int64 `json:"api_rate,omitempty"`      // requests a second
	LogRetention  int64 `json:"log_retention,omitempty"` // seconds
	LogBytes      int64 `json:"log_bytes,omitempty"`     // that the log holds
}

// Plan is a named set of limits, for many organizations.
type Plan struct {
	Name          string // as a slug
	Limits        Limits
	Organizations int64 // how many have it; not where it is changed
	Version       int64 // grows with every change
	CreatedAt     time.Time
}

// DefaultPlan is the plan of organizations that sign up. It cannot be deleted.
const DefaultPlan = "default"

// Over returns the limits with those of base where there are none.
func (l Limits) Over(base Limits) Limits {
	dst, src := l.fields(), base.fields()
	for i := range dst {
		if *dst[i] == 0 {
			*dst[i] = *src[i]
		}
	}
	return l
}

// Check refuses limits that are out of range. The fault points at the field by
// the name it has in the API, as in "/publish_rate".
func (l Limits) Check() error {
	for i, most := range mostLimits {
		if value := *l.fields()[i]; value < 0 || value > most.value {
			return fault.Newf(fault.Invalid, "must be 0 to %d", most.value).At(most.field)
		}
	}
	if least := int64(MinRetention / time.Second); l.LogRetention > 0 && l.LogRetention < least {
		return fault.Newf(fault.Invalid, "must be 0 or at least %d seconds", least).At("/log_retention")
	}
	return nil
}

// mostLimits are the names and the largest values of all limits, in the order
// of their declaration; openapi.yaml says the same.
var mostLimits = []struct {
	field string
	value int64
}{
	{"/apps", maxCount},
	{"/members", maxCount},
	{"/connections", maxCount},
	{"/connect_rate", maxCount},
	{"/publish_rate", maxCount},
	{"/publish_bytes", maxPublishBytes},
	{"/fanout_bytes", maxPublishBytes},
	{"/subscriptions", maxCount},
	{"/sessions", maxCount},
	{"/retained", maxCount},
	{"/topic_levels", maxTopicBytes},
	{"/topic_bytes", maxTopicBytes},
	{"/payload_bytes", maxPayload},
	{"/api_rate", maxCount},
	{"/log_retention", int64(MaxRetainedExpiry / time.Second)},
	{"/log_bytes", maxLogBytes},
}

// fields are all limits, in the order of their declaration.
func (l *Limits) fields() []*int64 {
	return []*int64{
		&l.Apps, &l.Members, &l.Connections, &l.ConnectRate, &l.PublishRate, &l.PublishBytes, &l.FanoutBytes,
		&l.Subscriptions, &l.Sessions, &l.Retained, &l.TopicLevels, &l.TopicBytes, &l.PayloadBytes, &l.APIRate,
		&l.LogRetention, &l.LogBytes,
	}
}
