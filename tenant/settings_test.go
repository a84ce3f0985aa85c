package tenant_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

func TestSettingsCheck(t *testing.T) {
	for _, good := range []tenant.Settings{
		{},
		tenant.DefaultSettings(),
		{SessionExpiry: tenant.MaxSessionExpiry, RetainedExpiry: tenant.MaxRetainedExpiry, PublishBytes: 1e12, MaxRetained: 1e9},
	} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for field, bad := range map[string]tenant.Settings{
		"/session_expiry_seconds":  {SessionExpiry: tenant.MaxSessionExpiry + time.Second},
		"/retained_expiry_seconds": {RetainedExpiry: -time.Second},
		"/max_retained":            {MaxRetained: -1},
		"/max_connections":         {MaxConnections: 1e9 + 1},
		"/max_subscriptions":       {MaxSubscriptions: -1},
		"/publish_rate":            {PublishRate: -1},
		"/publish_bytes":           {PublishBytes: 1e12 + 1},
		"/log_bytes":               {LogBytes: 1e15 + 1},
	} {
		f, ok := errors.AsType[*fault.Error](bad.Check())
		if !ok || f.Code != fault.Invalid || f.Field != field {
			t.Errorf("%+v: got %v, want a fault at %s", bad, f, field)
		}
	}
}

func TestRetentionCheck(t *testing.T) {
	const most = 90 * 24 * time.Hour
	for _, good := range []time.Duration{tenant.MinRetention, time.Hour, most} {
		if err := tenant.CheckRetention(good, most); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range []time.Duration{0, tenant.MinRetention - time.Second, most + time.Second} {
		f, ok := errors.AsType[*fault.Error](tenant.CheckRetention(bad, most))
		if !ok || f.Code != fault.Invalid || f.Field != "/log_retention_seconds" {
			t.Errorf("%v: got %v", bad, f)
		}
	}
}
