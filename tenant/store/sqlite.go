package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite", in pure Go: the binary needs no C library
)

// sqlitePragmas hold for every connection. The timeout comes first, so that
// the others wait too. A commit is on the disk before it is acknowledged
// (synchronous FULL): tenants change rarely, and a sign-up must not be lost.
var sqlitePragmas = []string{
	"busy_timeout(5000)", // milliseconds
	"journal_mode(WAL)",
	"synchronous(FULL)",
	"foreign_keys(ON)",
}

// openSQLite returns a pool of readers and the one writer.
func openSQLite(ctx context.Context, path string) (read, write *sql.DB, err error) {
	if err := createPrivate(path); err != nil {
		return nil, nil, err
	}
	// Every transaction of the writer takes the write lock at its start: one
	// that reads first could not be promoted while another process writes.
	write, err = sql.Open("sqlite", sqliteDSN(path, "_txlock=immediate", sqlitePragmas...))
	if err != nil {
		return nil, nil, fmt.Errorf("open the database: %w", err)
	}
	write.SetMaxOpenConns(1)
	if err := migrateSQLite(ctx, write, path); err != nil {
		return nil, nil, errors.Join(translate(err), write.Close())
	}
	read, err = sql.Open("sqlite", sqliteDSN(path, "_txlock=deferred", slices.Concat(sqlitePragmas, []string{"query_only(ON)"})...))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the database: %w", err), write.Close())
	}
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	return read, write, nil
}

// createPrivate makes sure that the database file is there and readable by
// its owner alone; SQLite gives its side files the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	// Also when the file was there before, or the umask is unusual.
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return fmt.Errorf("protect the database: %w", err)
	}
	return nil
}

// sqliteDSN escapes the path, in which ?, # and % have a meaning to SQLite.
func sqliteDSN(path, option string, pragmas ...string) string {
	options := []string{option}
	for _, pragma := range pragmas {
		options = append(options, "_pragma="+pragma)
	}
	return "file:" + (&url.URL{Path: filepath.Clean(path)}).EscapedPath() + "?" + strings.Join(options, "&")
}
