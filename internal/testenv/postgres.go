package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// postgresOptions make a server that forgets at a power loss and is fast for
// it, with connections for packages that are tested at the same time.
var postgresOptions = []string{
	"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200",
	"fsync=off", "synchronous_commit=off", "full_page_writes=off",
}

// StartPostgres starts a PostgreSQL server in a temporary folder. The context
// bounds the start, not the server.
func StartPostgres(ctx context.Context) (*Server, error) {
	initdb, err := PostgresProgram("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := PostgresProgram("postgres")
	if err != nil {
		return nil, err
	}
	as, err := Unprivileged("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	return retryPorts(ctx, func(port int) (*Server, error) {
		folder, err := as.newFolder("postgres")
		if err != nil {
			return nil, err
		}
		s, err := startPostgres(ctx, as, folder, initdb, postgres, port)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
		return s, nil
	})
}

func startPostgres(
	ctx context.Context, as *Account, folder, initdb, postgres string, port int,
) (*Server, error) {
	password := rand.Text()
	data := filepath.Join(folder, "data")
	secret := filepath.Join(folder, "password")
	if err := as.WritePrivate(secret, password); err != nil {
		return nil, err
	}
	create := as.Command(ctx, folder, initdb, "-D", data, "-U", "fanfare", "-A", "scram-sha-256",
		"--pwfile="+secret, "-E", "UTF8", "--locale=C", "--no-sync")
	if output, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, output)
	}
	args := []string{"-D", data, "-p", strconv.Itoa(port)}
	for _, option := range postgresOptions {
		args = append(args, "-c", option)
	}
	url := fmt.Sprintf("postgres://fanfare:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port)
	return start(ctx, as.Command(context.WithoutCancel(ctx), folder, postgres, args...), folder, url, PingPostgres)
}

// PingPostgres signs in, which a server that starts refuses.
func PingPostgres(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// PostgresProgram finds a program of PostgreSQL in the PATH or where Debian
// keeps it, out of the PATH and per version.
func PostgresProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is not installed", name)
	}
	return found[len(found)-1], nil
}

// retryPorts calls start with free ports until it succeeds.
func retryPorts(ctx context.Context, start func(port int) (*Server, error)) (*Server, error) {
	var failed error
	for range startTries {
		port, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		s, err := start(port)
		if err == nil || ctx.Err() != nil {
			return s, err
		}
		failed = err
	}
	return nil, failed
}
