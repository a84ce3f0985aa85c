package testenv

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// StartRedis starts a Redis server that keeps nothing on the disk. The context
// bounds the start, not the server.
func StartRedis(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is not installed: %w", err)
	}
	as, err := Unprivileged("redis", "nobody")
	if err != nil {
		return nil, err
	}
	return retryPorts(ctx, func(port int) (*Server, error) {
		folder, err := as.newFolder("redis")
		if err != nil {
			return nil, err
		}
		password := rand.Text()
		cmd := as.Command(context.WithoutCancel(ctx), folder, path, "-") // settings from stdin
		cmd.Stdin = strings.NewReader(fmt.Sprintf(
			"bind 127.0.0.1\nport %d\nrequirepass %s\nsave \"\"\nappendonly no\ndir %s\n", port, password, folder))
		s, err := start(ctx, cmd, folder, fmt.Sprintf("redis://:%s@127.0.0.1:%d/0", password, port), pingRedis)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
		return s, nil
	})
}

// pingRedis signs in, which answers +OK once the server is ready.
func pingRedis(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the answer decides
	password, _ := u.User.Password()
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\n", password); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "+OK") {
		return fmt.Errorf("redis: %s", strings.TrimSpace(answer))
	}
	return nil
}
