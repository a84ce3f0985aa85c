package auth

import (
	"strings"

	"github.com/fanfare-mq/fanfare/tenant"
)

// Device is an authenticated device: who it is and what it may do, by its
// app's newest policy. One goroutine uses it at a time.
type Device struct {
	Identity

	// Super says that its login is a super-client's: above the wall, where that
	// is allowed at all.
	Super bool

	app    *App
	holds  func() bool // whether what it has proved itself with still stands; nil: yes
	grant  grant
	narrow *narrowing // what its token leaves of what it may do; nil: all
	memo   memo
}

// App returns the device's app.
func (d *Device) App() *App { return d.app }

// Suspended says whether the device's organization is suspended, or its app is
// gone. Such a device has no business here. It is cheap and does not wait.
func (d *Device) Suspended() bool { return d.app.Entry().Suspended }

// Revoked says whether what the device has proved itself with was taken away
// since: the token, all that its user or its device had by a time, the token's
// signing key, the login (also if its password, user or device was changed, or
// it was disabled or is no super-client's any more) or the certificate's
// authority. Such a device could not connect again as it has. It is cheap and
// does not wait.
func (d *Device) Revoked() bool {
	return d.app.revoked(&d.grant) || d.holds != nil && !d.holds()
}

// Narrowed says whether the device's token leaves it less to subscribe to than
// it might.
func (d *Device) Narrowed() bool { return d.narrow != nil && d.narrow.subscribe != nil }

// Settings returns the app's newest known settings.
func (d *Device) Settings() tenant.Settings { return d.app.Entry().App.Settings }

// Mount returns what the edge puts in front of the device's topics, as in
// "{org}/{app}/", or "" if the app is not in mounted mode.
func (d *Device) Mount() string { return d.app.Entry().App.Mount() }

// MayPublish decides about a topic name. Asking again about one of the last
// few names is cheap.
func (d *Device) MayPublish(topic string) bool {
	policy := d.app.Policy()
	if may, ok := d.memo.recall(policy, topic); ok {
		return may
	}
	may := policy.MayPublish(&d.Identity, topic) && d.narrow.publishes(topic)
	d.memo.note(policy, topic, may)
	return may
}

// MaySubscribe decides about a topic filter.
func (d *Device) MaySubscribe(filter string) bool {
	return d.app.Policy().MaySubscribe(&d.Identity, filter) && d.narrow.subscribes(filter)
}

const (
	// memoTopics is how many names a device remembers: most publish to one or
	// two.
	memoTopics = 4
	// memoTopicLength is the longest name in bytes that is remembered; with
	// memoTopics it bounds what a device can make the server keep.
	memoTopicLength = 256
)

// memo remembers what one policy said about the last few names.
type memo struct {
	policy   *Policy
	verdicts []verdict // in a ring, once it is full
	next     int
}

type verdict struct {
	topic string
	may   bool
}

func (m *memo) recall(policy *Policy, topic string) (may, ok bool) {
	if m.policy != policy {
		return false, false
	}
	for i := range m.verdicts {
		if v := &m.verdicts[i]; v.topic == topic {
			return v.may, true
		}
	}
	return false, false
}

func (m *memo) note(policy *Policy, topic string, may bool) {
	if m.policy != policy {
		*m = memo{policy: policy, verdicts: m.verdicts[:0]}
	}
	if len(topic) > memoTopicLength {
		return
	}
	v := verdict{strings.Clone(topic), may} // the caller's may live in a read buffer
	if len(m.verdicts) < memoTopics {
		m.verdicts = append(m.verdicts, v)
		return
	}
	m.verdicts[m.next] = v
	m.next = (m.next + 1) % memoTopics
}
