package store

import (
	"context"
	"database/sql"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// loginColumns are what scanLogin reads. The hash is apart, for what needs it.
const loginColumns = `organization, app, username, end_user, device, tags, role, enabled, super, version, created_at`

func scanLogin(l *tenant.Login) []any {
	return []any{
		&l.Organization, &l.App, &l.Username, &l.User, &l.Device,
		textsScanner{&l.Tags},
		&l.Role,
		boolScanner{&l.Enabled},
		boolScanner{&l.Super},
		&l.Version,
		timeScanner{&l.CreatedAt},
	}
}

// loginQuery reads one login with its hash.
const loginQuery = `SELECT ` + loginColumns + `, password_hash FROM logins
	WHERE organization = $1 AND app = $2 AND username = $3`

// CreateLogin adds a login to an app. It fails with fault.Conflict at
// /username if the app has a login of that name, with fault.NotFound if there
// is no such app.
func (s *Store) CreateLogin(ctx context.Context, l tenant.Login) error {
	tags, err := marshalTexts(l.Tags)
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		added, err := tx.exec(ctx,
			`INSERT INTO logins (organization, app, username, password_hash, end_user, device, tags, role, enabled, super, created_at)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (organization, app, username) DO NOTHING`,
			l.Organization, l.App, l.Username, l.PasswordHash, l.User, l.Device, tags, l.Role, asInt(l.Enabled),
			asInt(l.Super), l.CreatedAt)
		if err == nil && !added {
			return fault.New(fault.Conflict, "the app has a login of that name").At("/username")
		}
		if err != nil {
			return err
		}
		return tx.touch(ctx, l.Organization, l.App+"/"+l.Username)
	})
}

// Login returns one login, or fault.NotFound.
func (s *Store) Login(ctx context.Context, org, app, username string) (tenant.Login, error) {
	var l tenant.Login
	err := s.one(ctx, "login", loginQuery, []any{org, app, username}, append(scanLogin(&l), &l.PasswordHash)...)
	if err != nil {
		return tenant.Login{}, err
	}
	return l, nil
}

// Logins returns up to limit logins of an app in the order of their names,
// beginning behind the name after, without their hashes.
func (s *Store) Logins(ctx context.Context, org, app, after string, limit int) ([]tenant.Login, error) {
	logins := []tenant.Login{}
	err := s.many(ctx,
		`SELECT `+loginColumns+` FROM logins
		 WHERE organization = $1 AND app = $2 AND username > $3 ORDER BY username LIMIT $4`,
		[]any{org, app, after, limit}, func(rows *sql.Rows) error {
			var l tenant.Login
			if err := rows.Scan(scanLogin(&l)...); err != nil {
				return err
			}
			logins = append(logins, l)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return logins, nil
}

// UpdateLogin changes a login by the function change if it has the version
// ifVersion, or in any case with AnyVersion, and returns it with its new
// version. It fails with what change fails with, with fault.PreconditionFailed
// if the login has changed since, and with fault.NotFound if there is none.
func (s *Store) UpdateLogin(
	ctx context.Context, org, app, username string, ifVersion int64, change func(*tenant.Login) error,
) (tenant.Login, error) {
	var l tenant.Login
	err := s.change(ctx, func(ctx context.Context, tx *transaction) error {
		// The new version comes first: it locks the row for what is read then.
		current, err := tx.exec(ctx,
			`UPDATE logins SET version = version + 1
			 WHERE organization = $1 AND app = $2 AND username = $3
			   AND (CAST($4 AS bigint) < 0 OR version = CAST($4 AS bigint))`,
			org, app, username, ifVersion)
		if err != nil {
			return err
		}
		err = tx.one(ctx, "login", loginQuery, []any{org, app, username}, append(scanLogin(&l), &l.PasswordHash)...)
		if err != nil {
			return err
		}
		if !current {
			return fault.New(fault.PreconditionFailed, "the login has changed since it was read")
		}
		if err := change(&l); err != nil {
			return err
		}
		tags, err := marshalTexts(l.Tags)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx,
			`UPDATE logins SET password_hash = $1, end_user = $2, device = $3, tags = $4, role = $5, enabled = $6, super = $7
			 WHERE organization = $8 AND app = $9 AND username = $10`,
			l.PasswordHash, l.User, l.Device, tags, l.Role, asInt(l.Enabled), asInt(l.Super), org, app, username)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app+"/"+username)
	})
	if err != nil {
		return tenant.Login{}, err
	}
	return l, nil
}

// DeleteLogin takes a login away, or fails with fault.NotFound.
func (s *Store) DeleteLogin(ctx context.Context, org, app, username string) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		err := tx.remove(ctx, "login",
			`DELETE FROM logins WHERE organization = $1 AND app = $2 AND username = $3`, org, app, username)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app+"/"+username)
	})
}
