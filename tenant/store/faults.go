package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fanfare-mq/fanfare/fault"
)

// translate turns a driver's error into a fault if a caller can act on it. The
// cause stays in the chain for the log. Cancellation by the caller stays what
// it is, and so does a fault.
func translate(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case isNotText(err):
		return fault.Wrap(fault.Invalid, "text must be UTF-8 without NUL", err)
	case isForeignKey(err):
		return fault.Wrap(fault.NotFound, "what this belongs to does not exist", err)
	case isAway(err):
		return fault.Wrap(fault.Unavailable, "the database does not answer", err)
	default:
		return err
	}
}

// Codes of PostgreSQL: SQLSTATEs.
const (
	foreignKeyViolation = "23503" // a reference to nothing
	notInRepertoire     = "22021" // text that is not UTF-8 or has a NUL
)

// found turns the error of a look-up into fault.NotFound if there is no such
// row. Text that the database cannot hold names no row either: a key id comes
// from a stranger's token as it is.
func found(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) || isNotText(err) {
		return fault.Wrap(fault.NotFound, "no such "+what, err)
	}
	return translate(err)
}

func isNotText(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == notInRepertoire
}

func isForeignKey(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == foreignKeyViolation
	}
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && lite.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// awayStates are the SQLSTATE prefixes of a PostgreSQL server that cannot serve
// now and may later: connection exceptions, insufficient resources (too many
// connections, disk full), operator intervention (shutdown, recovery), and a
// server that became a read-only standby.
var awayStates = []string{"08", "53", "57P", "25006"}

// awayErrors come from the driver or the network when the server is gone.
var awayErrors = []error{
	context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
}

func isAway(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.ContainsFunc(awayStates, func(state string) bool { return strings.HasPrefix(pg.Code, state) })
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return isSQLiteAway(lite)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return pgconn.SafeToRetry(err) || slices.ContainsFunc(awayErrors, func(away error) bool { return errors.Is(err, away) })
}

// isSQLiteAway looks at the primary code, the low byte: a file that is locked
// for long, cannot be read or written, or a disk that is full.
func isSQLiteAway(err *sqlite.Error) bool {
	switch err.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return true
	default:
		return false
	}
}
