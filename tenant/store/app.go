package store

import (
	"context"
	"database/sql"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// appColumns are what scanApp reads, from apps a and organizations o.
const appColumns = `a.organization, a.id, a.name, o.shard, a.retention_micros,
	a.settings, a.version, a.created_at`

// appQuery reads one app.
const appQuery = `SELECT ` + appColumns + ` FROM apps a JOIN organizations o ON o.slug = a.organization
	WHERE a.organization = $1 AND a.id = $2`

func scanApp(a *tenant.App) []any {
	return []any{
		&a.Organization, &a.ID, &a.Name, &a.Shard,
		microsScanner{&a.Retention},
		settingsScanner{&a.Settings},
		&a.Version,
		timeScanner{&a.CreatedAt},
	}
}

// CreateApp adds an app with its first API key and signing key, all or
// nothing. It fails with fault.Conflict at /id if the organization has an app
// of that name, with fault.NotFound if there is no such organization.
func (s *Store) CreateApp(ctx context.Context, app tenant.App, key tenant.APIKey, signing tenant.SigningKey) error {
	settings, err := marshalSettings(app.Settings)
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		if err := erasing(ctx, tx, app.Organization, app.ID); err != nil {
			return err
		}
		added, err := tx.exec(ctx,
			`INSERT INTO apps (organization, id, name, retention_micros, settings, created_at)
			 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organization, id) DO NOTHING`,
			app.Organization, app.ID, app.Name, app.Retention.Microseconds(), settings, app.CreatedAt)
		if err != nil {
			return err
		}
		if !added {
			return fault.New(fault.Conflict, "the organization has an app of that name").At("/id")
		}
		key.Organization, key.App = app.Organization, app.ID
		if err := insertAPIKey(ctx, tx, key); err != nil {
			return err
		}
		signing.Organization, signing.App = app.Organization, app.ID
		if err := s.insertSigningKey(ctx, tx, signing); err != nil {
			return err
		}
		return tx.touch(ctx, app.Organization, app.ID)
	})
}

// Apps returns up to limit apps of an organization in the order of their ids,
// beginning behind the id after; an empty after begins at the start.
func (s *Store) Apps(ctx context.Context, org, after string, limit int) ([]tenant.App, error) {
	apps := []tenant.App{}
	err := s.many(ctx,
		`SELECT `+appColumns+` FROM apps a JOIN organizations o ON o.slug = a.organization
		 WHERE a.organization = $1 AND a.id > $2 ORDER BY a.id LIMIT $3`,
		[]any{org, after, limit}, func(rows *sql.Rows) error {
			var a tenant.App
			if err := rows.Scan(scanApp(&a)...); err != nil {
				return err
			}
			apps = append(apps, a)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return apps, nil
}

// App returns one app, or fault.NotFound.
func (s *Store) App(ctx context.Context, org, app string) (tenant.App, error) {
	var a tenant.App
	err := s.one(ctx, "app", appQuery, []any{org, app}, scanApp(&a)...)
	if err != nil {
		return tenant.App{}, err
	}
	return a, nil
}

// UpdateApp changes an app's name, retention and settings by the function change if the
// app has the version ifVersion, or in any case with AnyVersion, and returns
// the app with its new version. It fails with what change fails with, with
// fault.PreconditionFailed if the app has changed since, and with
// fault.NotFound if there is no such app.
func (s *Store) UpdateApp(
	ctx context.Context, org, app string, ifVersion int64, change func(*tenant.App) error,
) (tenant.App, error) {
	var a tenant.App
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		// The new version comes first: it locks the row for what is read then.
		current, err := tx.exec(ctx,
			`UPDATE apps SET version = version + 1
			 WHERE organization = $1 AND id = $2
			   AND (CAST($3 AS bigint) < 0 OR version = CAST($3 AS bigint))`,
			org, app, ifVersion)
		if err != nil {
			return err
		}
		if err := tx.one(ctx, "app", appQuery, []any{org, app}, scanApp(&a)...); err != nil {
			return err
		}
		if !current {
			return fault.New(fault.PreconditionFailed, "the app has changed since it was read")
		}
		if err := change(&a); err != nil {
			return err
		}
		settings, err := marshalSettings(a.Settings)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE apps SET name = $1, retention_micros = $2, settings = $3
			 WHERE organization = $4 AND id = $5`,
			a.Name, a.Retention.Microseconds(), settings, org, app)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
	if err != nil {
		return tenant.App{}, err
	}
	return a, nil
}
