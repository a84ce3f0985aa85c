package push

import (
	"strings"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// Target is whom a push is for: exactly one field is set.
type Target struct {
	// User is one of the app's users, on all of the user's devices.
	User string
	// Device is one device of whichever user.
	Device string
	// Topic is for those who subscribed to it: one or more levels, without
	// wildcards.
	Topic string
	// Everyone is all devices of the app.
	Everyone bool
}

// Resolve returns the topic of a push to the target.
func (t Target) Resolve(app tenant.App) (string, error) {
	kind, id, field, err := t.only()
	if err != nil {
		return "", err
	}
	if kind == "broadcast" {
		return app.TopicPrefix() + "/broadcast", nil
	}
	if kind != "topics" && strings.IndexByte(id, '/') >= 0 {
		return "", fault.New(fault.Invalid, "must not contain a slash").At(field)
	}
	// An empty level is nearly always a slip, such as an id that was not there.
	if strings.HasPrefix(id, "/") || strings.HasSuffix(id, "/") || strings.Contains(id, "//") {
		return "", fault.New(fault.Invalid, "must not have an empty level").At(field)
	}
	name := app.TopicPrefix() + "/" + kind + "/" + id
	if err := ValidName(name); err != nil {
		return "", fault.New(fault.Invalid, err.Error()).At(field)
	}
	return name, nil
}

// only returns the kind of the target, its id, and the field of the request
// it comes from.
func (t Target) only() (kind, id, field string, err error) {
	n := 0
	set := func(is bool, k, i, f string) {
		if is {
			n++
			kind, id, field = k, i, f
		}
	}
	set(t.User != "", "users", t.User, "/to/user")
	set(t.Device != "", "devices", t.Device, "/to/device")
	set(t.Topic != "", "topics", t.Topic, "/to/topic")
	set(t.Everyone, "broadcast", "", "/to/everyone")
	if n != 1 {
		return "", "", "", fault.New(fault.Invalid, "must have exactly one of user, device, topic and everyone").At("/to")
	}
	return kind, id, field, nil
}
