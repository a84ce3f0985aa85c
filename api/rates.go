package api

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/meter"
	"github.com/fanfare-mq/fanfare/tenant"
)

// admitRequest counts a request against what the caller's app and organization
// may send in a second, and tells in the header how much is left of it
// (draft-ietf-httpapi-ratelimit-headers-06).
func (a *API) admitRequest(ctx context.Context, header http.Header, caller *auth.Caller) error {
	if caller == nil || caller.Organization == "" {
		return nil
	}
	app, org := a.requestRates(ctx, caller)
	now := a.now()
	ok, wait := meter.TakeAll(1, now, app, org)
	tellRates(header, now, app, org)
	if !ok {
		return throttledError{error: fault.New(fault.TooManyRequests, "there are more requests a second than the limit allows"), wait: wait}
	}
	return nil
}

// requestRates are how many requests the app, of a key, and the organization
// may send.
func (a *API) requestRates(ctx context.Context, caller *auth.Caller) (app, org meter.Limit) {
	allowed := caller.Limits
	if caller.Key != nil {
		known, err := a.deps.Apps.App(ctx, caller.Organization, caller.App)
		if err != nil {
			return app, org // the operation will say it, if it wants to know the app
		}
		entry := known.Entry()
		allowed = entry.Limits
		app = a.rate(entry.App.TopicPrefix(), "api_rate", int64(entry.App.Settings.APIRate))
	}
	return app, a.rate(caller.Organization, "api_rate", allowed.APIRate)
}

// rate is one limit, of an app or an organization. The edge counts by the same
// names.
func (a *API) rate(of, kind string, perSecond int64) meter.Limit {
	if perSecond == 0 {
		return meter.Limit{}
	}
	return meter.Limit{Rate: a.deps.Meter.Rate(of + " " + kind), PerSecond: perSecond}
}

// tellRates tells of the limit that will be reached first.
func tellRates(header http.Header, now time.Time, limits ...meter.Limit) {
	least := int64(math.MaxInt64)
	for _, limit := range limits {
		if limit.PerSecond == 0 {
			continue
		}
		left, full := limit.Rate.Left(limit.PerSecond, now)
		if left >= least {
			continue
		}
		least = left
		header.Set("RateLimit-Limit", strconv.FormatInt(limit.PerSecond, 10))
		header.Set("RateLimit-Policy", strconv.FormatInt(limit.PerSecond, 10)+";w=1")
		header.Set("RateLimit-Remaining", strconv.FormatInt(left, 10))
		header.Set("RateLimit-Reset", strconv.Itoa(int(math.Ceil(full.Seconds()))))
	}
}

// admitMessage holds a message against what the app and its organization may
// publish. The pointers are where the request names the topic and the payload.
func (a *API) admitMessage(entry *tenant.Entry, m *broker.Message, topic, payload string) error {
	app, org := entry.App.Settings.Limits(), entry.Limits
	most := tenant.Smaller(app.PayloadBytes, org.PayloadBytes)
	if most > 0 && int64(len(m.Payload)) > most {
		return fault.Newf(fault.PayloadTooLarge, "must have at most %d bytes as a payload", most).At(payload)
	}
	name := m.Topic
	if entry.App.Settings.Mounted {
		name = strings.TrimPrefix(name, entry.App.TopicPrefix()+"/")
	}
	if most := tenant.Smaller(app.TopicLevels, org.TopicLevels); most > 0 && int64(strings.Count(name, "/")+1) > most {
		return fault.Newf(fault.Invalid, "must name a topic of at most %d levels", most).At(topic)
	}
	if most := tenant.Smaller(app.TopicBytes, org.TopicBytes); most > 0 && int64(len(name)) > most {
		return fault.Newf(fault.Invalid, "must name a topic of at most %d bytes", most).At(topic)
	}
	return a.takeMessage(entry.App, app, org, int64(len(m.Payload)))
}

// takeMessage counts a message against the rates of what is published.
func (a *API) takeMessage(of tenant.App, app, org tenant.Limits, bytes int64) error {
	now, prefix := a.now(), of.TopicPrefix()
	messages := [2]meter.Limit{
		a.rate(prefix, "publish_rate", app.PublishRate), a.rate(of.Organization, "publish_rate", org.PublishRate),
	}
	if ok, wait := meter.TakeAll(1, now, messages[:]...); !ok {
		return throttledError{error: fault.New(fault.TooManyRequests, "there are more messages a second than the limit allows"), wait: wait}
	}
	ok, wait := meter.TakeAll(bytes, now,
		a.rate(prefix, "publish_bytes", app.PublishBytes), a.rate(of.Organization, "publish_bytes", org.PublishBytes))
	if ok {
		return nil
	}
	meter.GiveAll(1, messages[:]...)
	return throttledError{error: fault.New(fault.TooManyRequests, "there are more payload bytes a second than the limit allows"), wait: wait}
}
