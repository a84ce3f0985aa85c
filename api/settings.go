package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// UpdateApp changes an app's name and settings and tells all nodes.
func (a *API) UpdateApp(ctx context.Context, request spec.UpdateAppRequestObject) (spec.UpdateAppResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	version, err := versionOf(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, request.App, "app.update", request.App)
	app, err := a.deps.Store.UpdateApp(audited, caller.Organization, request.App, version, func(app *tenant.App) error {
		entry.Before = jsonOf(a.appView(*app))
		err := changeApp(app, request.Body, a.cfg.MaxRetention)
		entry.After = jsonOf(a.appView(*app))
		return err
	})
	if err != nil {
		return nil, err
	}
	a.changed(ctx, app.Organization, app.ID)
	return spec.UpdateApp200JSONResponse{
		Body: a.appView(app), Headers: spec.UpdateApp200ResponseHeaders{ETag: etag(app.Version)},
	}, nil
}

// changeApp makes the changes that a body asks for; longest is what the log may
// keep.
func changeApp(app *tenant.App, body *spec.AppChange, longest time.Duration) error {
	var wrong error
	if body.Name != nil {
		app.Name = *body.Name
		wrong = at(tenant.ValidName(app.Name), "/name")
	}
	if body.Settings == nil {
		return wrong
	}
	changeSettings(&app.Settings, body.Settings)
	wrong = errors.Join(wrong, within("/settings", app.Settings.Check()))
	if seconds := body.Settings.LogRetentionSeconds; seconds != nil {
		app.Retention = time.Duration(*seconds) * time.Second
		wrong = errors.Join(wrong, within("/settings", tenant.CheckRetention(app.Retention, longest)))
	}
	return wrong
}

func changeSettings(s *tenant.Settings, wanted *spec.SettingsChange) {
	set(&s.Mounted, wanted.Mounted)
	setSeconds(&s.SessionExpiry, wanted.SessionExpirySeconds)
	setSeconds(&s.RetainedExpiry, wanted.RetainedExpirySeconds)
	setCount(&s.MaxRetained, wanted.MaxRetained)
	setCount(&s.MaxConnections, wanted.MaxConnections)
	setCount(&s.MaxSubscriptions, wanted.MaxSubscriptions)
	setCount(&s.MaxSessions, wanted.MaxSessions)
	setCount(&s.ConnectRate, wanted.ConnectRate)
	setCount(&s.PublishRate, wanted.PublishRate)
	setCount(&s.PublishBytes, wanted.PublishBytes)
	setCount(&s.FanoutBytes, wanted.FanoutBytes)
	setCount(&s.MaxTopicLevels, wanted.MaxTopicLevels)
	setCount(&s.MaxTopicBytes, wanted.MaxTopicBytes)
	setCount(&s.MaxPayload, wanted.MaxPayload)
	setCount(&s.APIRate, wanted.APIRate)
	set(&s.LogBytes, wanted.LogBytes)
}

// within puts a pointer in front of a fault's own.
func within(pointer string, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.At(pointer + f.Field)
	}
	return err
}

// without takes a pointer from the front of a fault's own.
func without(pointer string, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.At(strings.TrimPrefix(f.Field, pointer))
	}
	return err
}

// set, setSeconds and setCount change what a body names.
func set[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}

func setSeconds(dst *time.Duration, src *int32) {
	if src != nil {
		*dst = time.Duration(*src) * time.Second
	}
}

func setCount[T int32 | int64](dst *int, src *T) {
	if src != nil {
		*dst = int(*src)
	}
}

func settingsView(app tenant.App) spec.Settings {
	s := app.Settings
	return spec.Settings{
		Mounted:               s.Mounted,
		SessionExpirySeconds:  int32(s.SessionExpiry / time.Second),  //nolint:gosec // checked to be at most 90 days
		RetainedExpirySeconds: int32(s.RetainedExpiry / time.Second), //nolint:gosec // checked to be at most ten years
		MaxRetained:           int32(s.MaxRetained),                  //nolint:gosec // checked to be at most a billion
		MaxConnections:        int32(s.MaxConnections),               //nolint:gosec // likewise
		MaxSubscriptions:      int32(s.MaxSubscriptions),             //nolint:gosec // likewise
		MaxSessions:           int32(s.MaxSessions),                  //nolint:gosec // likewise
		ConnectRate:           int32(s.ConnectRate),                  //nolint:gosec // likewise
		PublishRate:           int32(s.PublishRate),                  //nolint:gosec // likewise
		PublishBytes:          int64(s.PublishBytes),
		FanoutBytes:           int64(s.FanoutBytes),
		MaxTopicLevels:        int32(s.MaxTopicLevels), //nolint:gosec // checked to be at most 65,535
		MaxTopicBytes:         int32(s.MaxTopicBytes),  //nolint:gosec // likewise
		MaxPayload:            int32(s.MaxPayload),     //nolint:gosec // checked to be at most 256 MiB
		APIRate:               int32(s.APIRate),        //nolint:gosec // checked to be at most a billion
		LogRetentionSeconds:   int64(app.Retention / time.Second),
		LogBytes:              s.LogBytes,
	}
}
