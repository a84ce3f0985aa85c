package tenant

import (
	"time"

	"github.com/fanfare-mq/fanfare/fault"
)

// Settings are what an app's owner decides about its devices. A limit of 0
// means that only the node's own limits apply.
type Settings struct {
	// Mounted lets devices use bare topics: the edge puts "{org}/{app}/" in
	// front of what they say and takes it from what they hear.
	Mounted bool `json:"mounted,omitempty"`
	// SessionExpiry is how long a session outlives its connection: all of
	// MQTT 3.1 and 3.1.1 with clean session 0, and at most what an MQTT 5.0
	// client asks for. Whole seconds.
	SessionExpiry time.Duration `json:"session_expiry,omitempty"`
	// RetainedExpiry is how long a retained message is kept unless it expires
	// earlier by itself; 0 means until it is replaced. Whole seconds.
	RetainedExpiry time.Duration `json:"retained_expiry,omitempty"`
	// MaxRetained is how many retained messages the app may have.
	MaxRetained int `json:"max_retained,omitempty"`
	// MaxConnections and MaxSubscriptions bound what is open in the cluster, and
	// MaxSessions what outlives its connection.
	MaxConnections   int `json:"max_connections,omitempty"`
	MaxSubscriptions int `json:"max_subscriptions,omitempty"`
	MaxSessions      int `json:"max_sessions,omitempty"`
	// ConnectRate is how many connects a second are accepted.
	ConnectRate int `json:"connect_rate,omitempty"`
	// PublishRate and PublishBytes bound what is published, in messages and in
	// payload bytes a second.
	PublishRate  int `json:"publish_rate,omitempty"`
	PublishBytes int `json:"publish_bytes,omitempty"`
	// FanoutBytes bounds what the app's devices are sent, in payload bytes a
	// second.
	FanoutBytes int `json:"fanout_bytes,omitempty"`
	// MaxTopicLevels and MaxTopicBytes bound topic names and filters, without
	// what a mount adds; MaxPayload a message's payload in bytes.
	MaxTopicLevels int `json:"max_topic_levels,omitempty"`
	MaxTopicBytes  int `json:"max_topic_bytes,omitempty"`
	MaxPayload     int `json:"max_payload,omitempty"`
	// APIRate is how many requests a second the API answers to the app's keys.
	APIRate int `json:"api_rate,omitempty"`
	// LogBytes is how many bytes of the app's messages the log may hold.
	LogBytes int64 `json:"log_bytes,omitempty"`
}

// DefaultSettings are those of a new app.
func DefaultSettings() Settings {
	return Settings{
		SessionExpiry: 7 * 24 * time.Hour, // a phone that was off over a week's holiday resumes
		MaxRetained:   100_000,
	}
}

// MinRetention is the shortest that the log keeps an app's messages: a device
// that only changes its network is away for as long.
const MinRetention = time.Minute

// CheckRetention refuses a retention of the log that is out of range; most is
// what the operator allows.
func CheckRetention(retention, most time.Duration) error {
	if retention < MinRetention || retention > most {
		return fault.Newf(fault.Invalid, "must be %d to %d seconds", int64(MinRetention/time.Second), int64(most/time.Second)).
			At("/log_retention_seconds")
	}
	return nil
}

// The largest settings; openapi.yaml says the same.
const (
	// MaxSessionExpiry bounds how long what an absent device has asked for is
	// kept.
	MaxSessionExpiry = 90 * 24 * time.Hour
	// MaxRetainedExpiry is ten years: longer is no expiry at all, which is 0.
	MaxRetainedExpiry = 10 * 365 * 24 * time.Hour
	// maxCount is far beyond any node; it keeps slips of the unit away.
	maxCount = 1_000_000_000
	// maxLogBytes is a petabyte.
	maxLogBytes = 1_000_000_000_000_000
	// maxPublishBytes is a terabyte a second.
	maxPublishBytes = 1_000_000_000_000
	// maxTopicBytes and maxPayload are MQTT's own (§1.5.4, §2.1.4); the node's are
	// smaller.
	maxTopicBytes = 65_535
	maxPayload    = 268_435_455
)

// Check refuses settings that are out of range. The fault points at the field
// by the name it has in the API, as in "/session_expiry_seconds".
func (s Settings) Check() error {
	for _, one := range []struct {
		field       string
		value, most int64
		unit        string
	}{
		{"/session_expiry_seconds", int64(s.SessionExpiry / time.Second), int64(MaxSessionExpiry / time.Second), " seconds"},
		{"/retained_expiry_seconds", int64(s.RetainedExpiry / time.Second), int64(MaxRetainedExpiry / time.Second), " seconds"},
		{"/max_retained", int64(s.MaxRetained), maxCount, ""},
		{"/max_connections", int64(s.MaxConnections), maxCount, ""},
		{"/max_subscriptions", int64(s.MaxSubscriptions), maxCount, ""},
		{"/max_sessions", int64(s.MaxSessions), maxCount, ""},
		{"/connect_rate", int64(s.ConnectRate), maxCount, " connections"},
		{"/publish_rate", int64(s.PublishRate), maxCount, " messages"},
		{"/publish_bytes", int64(s.PublishBytes), maxPublishBytes, " bytes"},
		{"/fanout_bytes", int64(s.FanoutBytes), maxPublishBytes, " bytes"},
		{"/max_topic_levels", int64(s.MaxTopicLevels), maxTopicBytes, ""},
		{"/max_topic_bytes", int64(s.MaxTopicBytes), maxTopicBytes, " bytes"},
		{"/max_payload", int64(s.MaxPayload), maxPayload, " bytes"},
		{"/api_rate", int64(s.APIRate), maxCount, " requests"},
		{"/log_bytes", s.LogBytes, maxLogBytes, " bytes"},
	} {
		if one.value < 0 || one.value > one.most {
			return fault.Newf(fault.Invalid, "must be 0 to %d%s", one.most, one.unit).At(one.field)
		}
	}
	return nil
}

// Limits are those of the settings, in the words of an organization's.
func (s Settings) Limits() Limits {
	return Limits{
		Connections: int64(s.MaxConnections), ConnectRate: int64(s.ConnectRate),
		PublishRate: int64(s.PublishRate), PublishBytes: int64(s.PublishBytes), FanoutBytes: int64(s.FanoutBytes),
		Subscriptions: int64(s.MaxSubscriptions), Sessions: int64(s.MaxSessions), Retained: int64(s.MaxRetained),
		TopicLevels: int64(s.MaxTopicLevels), TopicBytes: int64(s.MaxTopicBytes), PayloadBytes: int64(s.MaxPayload),
		APIRate: int64(s.APIRate), LogBytes: s.LogBytes,
	}
}

// Smaller returns the smaller of two limits, where 0 is none.
func Smaller(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
