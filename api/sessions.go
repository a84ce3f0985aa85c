package api

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker"
)

// ListSessions answers a page of a user's sessions. A client identifier may
// hold anything, so that a cursor is one in base64.
func (a *API) ListSessions(
	ctx context.Context, request spec.ListSessionsRequestObject,
) (spec.ListSessionsResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	if err := auth.ValidUser(request.User); err != nil {
		return nil, parameterError{error: err, parameter: "user"}
	}
	most, cursor, err := paging(request.Params.Limit, request.Params.Cursor, func(s string) bool {
		_, err := base64.RawURLEncoding.DecodeString(s)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	after, _ := base64.RawURLEncoding.DecodeString(cursor) // checked
	of := app.Entry().App
	kept, err := a.deps.Sessions.Sessions(ctx, of.Organization, of.ID, request.User, string(after), most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(kept, most, sessionView, func(k broker.Kept) string {
		return base64.RawURLEncoding.EncodeToString([]byte(k.ClientID))
	})
	return spec.ListSessions200JSONResponse{Items: items, NextCursor: next}, nil
}

func sessionView(k broker.Kept) spec.Session {
	r := k.Record
	view := spec.Session{
		ClientID: k.ClientID, Connected: k.Connected, Truncated: !r.Truncated.IsZero(),
		Inflight:      int32(len(r.Inflight)), //nolint:gosec // at most as many as there are packet identifiers
		Subscriptions: make([]spec.SessionSubscription, len(r.Subscriptions)),
	}
	for i, sub := range r.Subscriptions {
		view.Subscriptions[i] = spec.SessionSubscription{Filter: sub.Filter, QoS: int32(sub.QoS)}
	}
	view.ExpiresAt, view.TruncatedAt = timeView(r.Expires), timeView(r.Truncated)
	return view
}

// timeView is a time as the API answers it; none is absent.
func timeView(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
