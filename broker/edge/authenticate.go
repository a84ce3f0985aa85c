package edge

import (
	"log/slog"
	"net"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
)

// authenticate asks who the client is, off the loop: an app that is not cached
// is read from the store.
func (c *conn) authenticate(p *packet.Connect) {
	if p.ClientID == "" {
		p.ClientID = "auto-" + ulid.Make().String() // [MQTT-3.1.3-6] [MQTT-3.1.3-7]
		c.assigned = true
	}
	creds := c.credentials(p.ClientID, p.Username, p.Password)
	if p.Properties.HasAuthMethod {
		creds.Password = p.Properties.AuthData
	}
	c.username = p.Username
	c.ask(creds, c.authenticated)
}

func (c *conn) credentials(clientID, username string, password []byte) auth.Credentials {
	return auth.Credentials{
		ClientID: clientID, Username: username, Password: password,
		Certificates: c.transport.certificates(), Remote: c.address(),
	}
}

// address is the client's, without a port.
func (c *conn) address() string {
	remote := c.transport.remote()
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

// ask authenticates off the loop and gives the answer to then, on it.
func (c *conn) ask(creds auth.Credentials, then func(*auth.Device, error, time.Time)) {
	e := c.loop.edge
	go func() {
		device, err := e.deps.Devices.Authenticate(e.ctx, creds)
		c.loop.post(event{kind: evDo, do: func(now time.Time) {
			if !c.closed {
				then(device, err, now)
			}
		}})
	}()
}

func (c *conn) authenticated(device *auth.Device, err error, now time.Time) {
	e := c.loop.edge
	if err == nil && device.Suspended() {
		err = errSuspended
	}
	if err == nil && device.Revoked() {
		err = errRevoked // since it was looked up, and perhaps since the last review
	}
	if err != nil {
		c.refuse(err, now)
		return
	}
	app := device.App().Entry().App
	c.proved(device)
	c.rise()
	c.shard = app.Shard
	if c.usage, err = e.apps.connect(app.TopicPrefix(), device.Settings()); err != nil {
		c.refuse(err, now)
		return
	}
	c.step(func(s *session.Session) {
		s.Accept(session.Admission{
			Key:  broker.SessionKey(device.Org, device.Identity.App, device.User, device.ClientID),
			Node: e.cfg.Node, Mount: c.mount(), Authorizer: c.authorizer(),
			Expires: device.Expires, Shard: c.shard, MaxExpiry: device.Settings().SessionExpiry,
			Lossless: e.deps.Bus.Alone(), Assigned: c.assigned, ResponseInfo: responseInfo(device),
			NextID: nextID, Generation: newest(e.deps.Bus.Generations(c.shard)), Retention: app.Retention,
		}, now)
	})
}

// newest is the number of the log's present generation.
func newest(generations []broker.Generation) (number uint64) {
	for _, g := range generations {
		number = max(number, g.Number)
	}
	return number
}

// nextID makes the identifier of a message.
func nextID(now time.Time) ulid.ULID { return ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()) }

// mount is what is put in front of the client's topics. A super-client names
// organizations itself.
func (c *conn) mount() string {
	if c.above != nil {
		return ""
	}
	return c.device.Mount()
}

// authorizer answers for what the device may do.
func (c *conn) authorizer() session.Authorizer {
	if c.above != nil {
		return superClient{}
	}
	if org := c.loop.edge.cfg.OperatorOrg; org != "" && c.device.Org == org && !c.device.Narrowed() {
		return operator{c.device}
	}
	return c.device
}

// responseInfo is where a device may listen for answers to its requests: it is
// granted to its user, and no other device has the same.
func responseInfo(d *auth.Device) string {
	prefix := d.App().Entry().App.TopicPrefix() + "/users/" + d.User + "/reply/"
	if topic.ValidName(prefix+d.ClientID) != nil {
		return prefix
	}
	return prefix + d.ClientID
}

// reauthenticate checks a newer token of the same user.
func (c *conn) reauthenticate(token []byte) {
	creds := c.credentials(c.session.ClientID(), c.username, token)
	c.ask(creds, func(device *auth.Device, err error, now time.Time) {
		if err == nil && !device.Same(&c.device.Identity) {
			err = errAnotherUser
		}
		if err == nil && device.Revoked() {
			err = errRevoked
		}
		var a session.Authorizer
		var expires time.Time
		if err == nil {
			c.proved(device)
			a, expires = c.authorizer(), device.Expires
		}
		c.step(func(s *session.Session) { s.Reauthenticated(a, expires, err, now) })
		c.readOn(now)
	})
}

var (
	errSuspended   = fault.New(fault.Suspended, "the organization is suspended")
	errAnotherUser = fault.New(fault.Forbidden, "the new token is another user's")
	errRevoked     = fault.New(fault.Unauthenticated, "the credentials were revoked")
)

func (c *conn) refuse(err error, now time.Time) {
	reason := refusal(err)
	c.loop.edge.stats.refused.WithLabelValues(reason.Name).Inc()
	c.log().Info("connect refused", slog.Any("error", err))
	c.step(func(s *session.Session) { s.Refuse(reason, now) })
}

// refusal maps an authentication's fault to the reason of a CONNACK.
func refusal(err error) session.Reason {
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Overloaded, fault.Internal:
		return session.ReasonUnavailable
	case fault.Forbidden, fault.OutsideWall:
		return session.ReasonNotAuthorized
	case fault.Suspended:
		return session.ReasonSuspended
	case fault.QuotaExceeded:
		return session.ReasonQuota
	case fault.TooManyRequests:
		return session.ReasonRate
	default:
		return session.ReasonBadCredentials
	}
}
