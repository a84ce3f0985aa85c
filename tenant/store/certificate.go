package store

import (
	"context"
	"database/sql"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

const certificateColumns = `id, organization, app, fingerprint, subject_hash, certificate, user_from, tags, role, created_at`

func scanCertificate(c *tenant.Certificate) []any {
	return []any{
		&c.ID, &c.Organization, &c.App,
		hashScanner{&c.Fingerprint},
		hashScanner{&c.SubjectHash},
		&c.DER,
		&c.UserFrom,
		textsScanner{&c.Tags},
		&c.Role,
		timeScanner{&c.CreatedAt},
	}
}

// maxSubject is how many authorities of the same name are looked at. The
// oldest come first, so that nobody gets in the way of one that was there by
// registering many of its name.
const maxSubject = 64

// CreateCertificate adds an authority to an app. It fails with fault.Conflict
// at /ca_pem if the certificate is registered, by whomever; with
// fault.QuotaExceeded if the app has tenant.MaxCertificates of them, and with
// fault.NotFound if there is no such app.
func (s *Store) CreateCertificate(ctx context.Context, c tenant.Certificate) error {
	tags, err := marshalTexts(c.Tags)
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		added, err := tx.exec(ctx,
			`INSERT INTO certificates (`+certificateColumns+`)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (fingerprint) DO NOTHING`,
			c.ID, c.Organization, c.App, c.Fingerprint, c.SubjectHash, c.DER, string(c.UserFrom), tags, c.Role, c.CreatedAt)
		if err != nil {
			return err
		}
		if !added {
			return fault.New(fault.Conflict, "is registered already; an authority belongs to one app").At("/ca_pem")
		}
		// Two at once may both get in at the limit, which does no harm.
		var n int
		err = tx.one(ctx, "app", `SELECT COUNT(*) FROM certificates WHERE organization = $1 AND app = $2`,
			[]any{c.Organization, c.App}, &n)
		if err == nil && n > tenant.MaxCertificates {
			return fault.Newf(fault.QuotaExceeded, "the app has %d certificates already", tenant.MaxCertificates)
		}
		if err != nil {
			return err
		}
		return tx.touch(ctx, c.Organization, c.App)
	})
}

// Certificate returns one authority of an app, or fault.NotFound.
func (s *Store) Certificate(ctx context.Context, org, app, id string) (tenant.Certificate, error) {
	var c tenant.Certificate
	err := s.one(ctx, "certificate",
		`SELECT `+certificateColumns+` FROM certificates WHERE organization = $1 AND app = $2 AND id = $3`,
		[]any{org, app, id}, scanCertificate(&c)...)
	if err != nil {
		return tenant.Certificate{}, err
	}
	return c, nil
}

// Certificates returns up to limit authorities of an app in the order of their
// ids, the oldest first, beginning behind the id after.
func (s *Store) Certificates(ctx context.Context, org, app, after string, limit int) ([]tenant.Certificate, error) {
	return s.certificates(ctx, `WHERE organization = $1 AND app = $2 AND id > $3 ORDER BY id LIMIT $4`, org, app, after, limit)
}

// CertificatesBySubject returns the authorities, of all organizations, whose
// subject has a hash, the oldest first; none of them is fault.NotFound.
func (s *Store) CertificatesBySubject(ctx context.Context, hash [32]byte) ([]tenant.Certificate, error) {
	found, err := s.certificates(ctx, `WHERE subject_hash = $1 ORDER BY created_at, id LIMIT $2`, hash, maxSubject)
	if err == nil && len(found) == 0 {
		return nil, fault.New(fault.NotFound, "no such certificate")
	}
	return found, err
}

func (s *Store) certificates(ctx context.Context, where string, args ...any) ([]tenant.Certificate, error) {
	certificates := []tenant.Certificate{}
	err := s.many(ctx, `SELECT `+certificateColumns+` FROM certificates `+where, args, func(rows *sql.Rows) error {
		var c tenant.Certificate
		if err := rows.Scan(scanCertificate(&c)...); err != nil {
			return err
		}
		certificates = append(certificates, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return certificates, nil
}

// DeleteCertificate takes an authority away, or fails with fault.NotFound.
func (s *Store) DeleteCertificate(ctx context.Context, org, app, id string) error {
	return s.change(ctx, func(ctx context.Context, tx *transaction) error {
		err := tx.remove(ctx, "certificate",
			`DELETE FROM certificates WHERE organization = $1 AND app = $2 AND id = $3`, org, app, id)
		if err != nil {
			return err
		}
		return tx.touch(ctx, org, app)
	})
}
