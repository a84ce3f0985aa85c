package tenant

import "time"

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
	Name      string // a slug
	Limits    Limits
	Version   int64 // grows with every change
	CreatedAt time.Time
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

// fields are all limits, in the order of their declaration.
func (l *Limits) fields() []*int64 {
	return []*int64{
		&l.Apps, &l.Members, &l.Connections, &l.ConnectRate, &l.PublishRate, &l.PublishBytes, &l.FanoutBytes,
		&l.Subscriptions, &l.Sessions, &l.Retained, &l.TopicLevels, &l.TopicBytes, &l.PayloadBytes, &l.APIRate,
		&l.LogRetention, &l.LogBytes,
	}
}
