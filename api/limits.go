package api

import (
	"context"
	"log/slog"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/tenant"
)

// GetLimits answers what the caller's organization may use, and how much of it
// it does.
func (a *API) GetLimits(ctx context.Context, _ spec.GetLimitsRequestObject) (spec.GetLimitsResponseObject, error) {
	h, err := a.deps.Store.Holdings(ctx, callerOf(ctx).Organization)
	if err != nil {
		return nil, err
	}
	return spec.GetLimits200JSONResponse{Plan: h.Plan, Limits: limitsView(h.Allowed()), Use: a.use(ctx, h)}, nil
}

// use asks for what is counted, and waits until the other nodes have said what
// they have. What cannot be told is left out.
func (a *API) use(ctx context.Context, h tenant.Holdings) spec.Use {
	connections := a.deps.Meter.Count(h.Slug + " connections")
	subscriptions := a.deps.Meter.Count(h.Slug + " subscriptions")
	connections.Total()
	subscriptions.Total()
	a.deps.Meter.Settle(ctx)
	use := spec.Use{
		Apps: h.Apps, Members: h.Members,
		Connections: max(connections.Total(), 0), Subscriptions: max(subscriptions.Total(), 0),
	}
	if a.deps.Usage == nil {
		return use
	}
	logged, err := a.deps.Usage(ctx, h.Slug)
	if err != nil {
		a.log.WarnContext(ctx, "what an organization has in the log cannot be told",
			slog.String("organization", h.Slug), slog.Any("error", err))
		return use
	}
	sessions, retained := int64(logged.Sessions), int64(logged.Retained)
	use.Sessions, use.Retained, use.LogBytes = &sessions, &retained, &logged.LogBytes
	return use
}

func limitsView(l tenant.Limits) spec.Limits {
	return spec.Limits{
		Apps: l.Apps, Members: l.Members, Connections: l.Connections, ConnectRate: l.ConnectRate,
		PublishRate: l.PublishRate, PublishBytes: l.PublishBytes, FanoutBytes: l.FanoutBytes,
		Subscriptions: l.Subscriptions, Sessions: l.Sessions, Retained: l.Retained,
		TopicLevels: l.TopicLevels, TopicBytes: l.TopicBytes, PayloadBytes: l.PayloadBytes, APIRate: l.APIRate,
		LogRetention: l.LogRetention, LogBytes: l.LogBytes,
	}
}

// changeLimits makes the changes that a body asks for.
func changeLimits(l *tenant.Limits, wanted *spec.LimitsChange) error {
	if wanted == nil {
		return nil
	}
	set(&l.Apps, wanted.Apps)
	set(&l.Members, wanted.Members)
	set(&l.Connections, wanted.Connections)
	set(&l.ConnectRate, wanted.ConnectRate)
	set(&l.PublishRate, wanted.PublishRate)
	set(&l.PublishBytes, wanted.PublishBytes)
	set(&l.FanoutBytes, wanted.FanoutBytes)
	set(&l.Subscriptions, wanted.Subscriptions)
	set(&l.Sessions, wanted.Sessions)
	set(&l.Retained, wanted.Retained)
	set(&l.TopicLevels, wanted.TopicLevels)
	set(&l.TopicBytes, wanted.TopicBytes)
	set(&l.PayloadBytes, wanted.PayloadBytes)
	set(&l.APIRate, wanted.APIRate)
	set(&l.LogRetention, wanted.LogRetention)
	set(&l.LogBytes, wanted.LogBytes)
	return l.Check()
}
