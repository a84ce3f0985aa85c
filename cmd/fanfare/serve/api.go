package serve

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// openHTTP serves the API, and what is for people apart if that is asked for.
func (p *process) openHTTP(ctx context.Context) (closer, error) {
	if !p.cfg.Has(config.API) {
		return nil, nil
	}
	listeners := []listening{{"HTTP", p.cfg.HTTPAddr, api.All, &p.addresses.HTTP}}
	if p.cfg.AdminAddr != "" {
		listeners[0].surface = api.App
		listeners = append(listeners, listening{"admin", p.cfg.AdminAddr, api.Admin, &p.addresses.Admin})
	}
	var closers []closer
	for _, l := range listeners {
		c, err := p.openSurface(ctx, l)
		if err != nil {
			return nil, errors.Join(err, all(closers...)(ctx))
		}
		closers = append(closers, c)
	}
	p.serving.Store(true)
	return func(ctx context.Context) error {
		p.serving.Store(false)
		return all(closers...)(ctx)
	}, nil
}

// listening is one address that serves a part of the API.
type listening struct {
	name, address string
	surface       api.Surface
	bound         *string // where the address goes, with the port it was given
}

// openSurface binds first: the API prints its own address.
func (p *process) openSurface(ctx context.Context, l listening) (closer, error) {
	socket, err := bind(ctx, l.address)
	if err != nil {
		return nil, err
	}
	*l.bound = socket.Addr().String()
	a, err := api.New(p.apiConfig(l.surface), p.apiDeps())
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return p.serveHTTP(l.name, socket, a.Handler(), httpGrace), nil
}

func (p *process) apiConfig(surface api.Surface) api.Config {
	return api.Config{
		Surface:              surface,
		PublicHTTP:           cmp.Or(p.cfg.PublicHTTPURL, url("http", p.addresses.HTTP)),
		PublicAdmin:          url("http", p.addresses.Admin),
		PublicMQTT:           plain(p.cfg.PublicMQTTURL, url("mqtt", p.addresses.MQTT)),
		PublicMQTTS:          secure(p.cfg.PublicMQTTURL, url("mqtts", p.addresses.MQTTS)),
		PublicWS:             plain(p.cfg.PublicWSURL, webSocket("ws", p.addresses.WS)),
		PublicWSS:            secure(p.cfg.PublicWSURL, webSocket("wss", p.addresses.WSS)),
		Proxies:              p.cfg.Proxies,
		SignupClosed:         p.cfg.Signup == "closed",
		OperatorOrganization: p.cfg.OperatorOrg,
		Shards:               p.bus.Spread,
		Retention:            min(api.DefaultRetention, p.retention()),
		MaxRetention:         p.retention(),
	}
}

// plain is where clients connect without TLS: the public URL, if there is one
// and that is its scheme, otherwise this process's own listener. It is empty
// where nothing is known to listen.
func plain(public, own string) string {
	switch {
	case public == "":
		return own
	case overTLS(public):
		return ""
	}
	return public
}

// secure is the same for TLS.
func secure(public, own string) string {
	switch {
	case public == "":
		return own
	case overTLS(public):
		return public
	}
	return ""
}

// overTLS tells by a URL's scheme.
func overTLS(url string) bool {
	scheme, _, _ := strings.Cut(url, "://")
	return slices.Contains([]string{"mqtts", "ssl", "tls", "wss"}, strings.ToLower(scheme))
}

func (p *process) apiDeps() api.Deps {
	deps := api.Deps{
		Store:     p.store,
		Apps:      p.directory,
		Callers:   auth.NewCallers(p.directory, p.store, p.usage, time.Now).WithOperator(p.operator, p.cfg.OperatorOrg),
		Tokens:    p.devices,
		Publisher: p.bus,
		Announcer: p.bus,
		Sessions:  p.bus,
		KeySets:   p.keySets,
		Tally:     p.tally,
		Checks:    p.checks(),
		Logger:    p.log,
	}
	if p.above != nil {
		deps.Above = p.above
	}
	return deps
}
