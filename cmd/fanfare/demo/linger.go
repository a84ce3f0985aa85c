package demo

import (
	"context"
	"fmt"
	"net"
)

// linger leaves the server running, with lines to try, and shows what arrives.
func (s *show) linger(ctx context.Context) error {
	host, port, err := net.SplitHostPort(s.server.MQTT)
	if err != nil {
		return err
	}
	s.out.title("Now you: the server keeps running until Ctrl-C")
	s.out.plain("\nPush to ana (phone-1 shows it here):\n")
	s.out.plain(`curl -sS http://%s/v1/apps/chat/push -H 'Authorization: Bearer %s' \`, s.server.HTTP, s.acme.key)
	s.out.plain(`  -H 'Content-Type: application/json' \`)
	s.out.plain(`  -d '{"to":{"user":"ana"},"notification":{"title":"Hello","body":"from curl"}}'`)
	s.out.plain("\nBe another phone of ana:\n")
	s.out.plain(`mosquitto_sub -h %s -p %s -i phone-2 -q 1 -v -t '%s' \`, host, port, anas)
	s.out.plain(`  -u %s -P '%s'`, s.acme.app.TopicPrefix, s.acme.token)
	s.out.plain("")
	for {
		select {
		case m := <-s.arrived:
			s.out.seen("phone-1 received  %s  %s", m.Topic, m.Payload)
		case err := <-s.lost:
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the server is stopping, and closed it
			}
			return fmt.Errorf("phone-1 lost its connection: %w", err)
		case <-ctx.Done():
			return nil
		}
	}
}
