package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// probePatience bounds one look at a part.
const probePatience = 2 * time.Second

// probe fails unless the address answers 200.
func probe(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // the status decides
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, said)
	}
	return nil
}

// dial fails unless somebody listens on the port.
func dial(ctx context.Context, port int) error {
	dialer := net.Dialer{Timeout: probePatience}
	conn, err := dialer.DialContext(ctx, "tcp", at(port))
	if err != nil {
		return err
	}
	return conn.Close()
}
