package auth

import (
	"context"
	"strings"

	"github.com/fanfare-mq/fanfare/tenant"
)

// isLogin says whether an MQTT user name has the form of a login's,
// "{org}/{app}/{login}".
func isLogin(username string) bool { return strings.Count(username, "/") == 2 }

// byLogin authenticates a device by a login's password. A login that does not
// exist, or is disabled, takes as long as one whose password is wrong.
func (v *Devices) byLogin(ctx context.Context, c Credentials) (*Device, error) {
	app, login, err := v.login(ctx, c.Username)
	if err != nil {
		return nil, err
	}
	var last *tenant.Login
	if login != nil {
		last = login.current()
	}
	right, err := v.passwords.verify(ctx, last, c.Password, c.suspect)
	switch {
	case err != nil:
		return nil, err
	case last == nil:
		return nil, unauthenticated("there is no login %q", c.Username)
	case !right:
		return nil, unauthenticated("the password of %s is wrong, or the login is disabled", c.Username)
	case last.Device != "" && last.Device != c.ClientID:
		return nil, unauthenticated("the login %s is for another device than the client id names", c.Username)
	}
	d := &Device{
		app: app, Super: last.Super,
		Identity: Identity{
			Org: last.Organization, App: last.App, User: last.User, Device: last.Device, ClientID: c.ClientID,
			Tags: last.Tags, Role: last.Role,
		},
		holds: standing(login, *last),
	}
	d.grant = d.granted("", v.now())
	return d, nil
}

// standing says whether a device that has proved itself with a login still
// could, as what it was then.
func standing(login *record[loginKey, tenant.Login], proved tenant.Login) func() bool {
	return func() bool {
		now := login.last()
		return now.Enabled && now.PasswordHash == proved.PasswordHash && now.User == proved.User &&
			now.Device == proved.Device && (now.Super || !proved.Super)
	}
}

// login returns the app and the login that a user name stands for, or nothing
// if there is none.
func (v *Devices) login(ctx context.Context, username string) (*App, *record[loginKey, tenant.Login], error) {
	at := strings.LastIndexByte(username, '/')
	prefix, name := username[:at], username[at+1:]
	org, id, _ := strings.Cut(prefix, "/")
	if could := couldBeSlug(org) && couldBeSlug(id) && tenant.ValidUsername(name) == nil; !could {
		return nil, nil, nil
	}
	app, err := v.directory.App(ctx, org, id)
	if err != nil {
		return nil, nil, ignoreNotFound(err)
	}
	login, err := v.directory.login(ctx, loginKey{org, id, name})
	if err != nil {
		return nil, nil, ignoreNotFound(err)
	}
	return app, login, nil
}
