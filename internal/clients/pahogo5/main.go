// Command pahogo5 is paho.golang (MQTT 5.0) against a broker, step by step:
// the first that fails ends it.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

const patience = 15 * time.Second

// step is what the program is at.
var step string

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	for _, part := range []func(context.Context) error{roundTrips, retained, will, resume, share, requestResponse, secure} {
		if err := part(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "pahogo5: %s: %v\n", step, err)
			os.Exit(1) //nolint:gocritic // the process ends, and its connections with it
		}
	}
	begin("done")
}

func begin(name string) {
	step = name
	fmt.Println(name)
}

func expect[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

func topic(name string) string { return os.Getenv("MQTT_PREFIX") + "/v5/" + name }

// client is a connection and what it receives.
type client struct {
	*paho.Client

	arrived chan *paho.Publish
	conn    net.Conn
	present bool // Session Present
}

var clients int

func dial(ctx context.Context, change func(*paho.Connect)) (*client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(os.Getenv("MQTT_HOST"), os.Getenv("MQTT_PORT")))
	if err != nil {
		return nil, err
	}
	return connect(ctx, conn, change)
}

func connect(ctx context.Context, conn net.Conn, change func(*paho.Connect)) (*client, error) {
	clients++
	c := &client{arrived: make(chan *paho.Publish, 100), conn: conn}
	cp := &paho.Connect{
		ClientID: fmt.Sprintf("pahogo5-%d-%d", os.Getpid(), clients), CleanStart: true, KeepAlive: 30,
		UsernameFlag: true, Username: os.Getenv("MQTT_USERNAME"),
		PasswordFlag: true, Password: []byte(os.Getenv("MQTT_PASSWORD")),
	}
	if change != nil {
		change(cp)
	}
	c.Client = paho.NewClient(paho.ClientConfig{
		Conn: packets.NewThreadSafeConn(conn), ClientID: cp.ClientID,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			c.arrived <- p.Packet
			return true, nil
		}},
	})
	ack, err := c.Connect(ctx, cp)
	if err != nil {
		return nil, err
	}
	c.present = ack.SessionPresent
	return c, nil
}

// pair is two clients, of which the first is subscribed.
func pair(ctx context.Context, filter string, qos byte) (sub, pub *client, err error) {
	if sub, err = dial(ctx, nil); err != nil {
		return nil, nil, err
	}
	if pub, err = dial(ctx, nil); err != nil {
		return nil, nil, err
	}
	return sub, pub, sub.subscribe(ctx, filter, qos)
}

func (c *client) subscribe(ctx context.Context, filter string, qos byte) error {
	ack, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: qos}}})
	if err != nil {
		return err
	}
	return expect("granted QoS", ack.Reasons[0], qos)
}

func (c *client) publish(ctx context.Context, name, payload string, qos byte, retain bool) error {
	_, err := c.Publish(ctx, &paho.Publish{Topic: name, Payload: []byte(payload), QoS: qos, Retain: retain})
	return err
}

// next waits for a message with that payload.
func (c *client) next(payload string) (*paho.Publish, error) {
	select {
	case m := <-c.arrived:
		return m, expect("payload", string(m.Payload), payload)
	case <-time.After(patience):
		return nil, errors.New("no message in time")
	}
}

func (c *client) end() { _ = c.Disconnect(&paho.Disconnect{}) }

// secure sends one message to itself over TLS.
func secure(ctx context.Context) error {
	port := os.Getenv("MQTT_TLS_PORT")
	if port == "" {
		return nil
	}
	begin("TLS")
	pem, err := os.ReadFile(os.Getenv("MQTT_CA"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	d := tls.Dialer{Config: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(os.Getenv("MQTT_HOST"), port))
	if err != nil {
		return err
	}
	c, err := connect(ctx, conn, nil)
	if err != nil {
		return err
	}
	defer c.end()
	if err := errors.Join(c.subscribe(ctx, topic("tls"), 1), c.publish(ctx, topic("tls"), "secret", 1, false)); err != nil {
		return err
	}
	_, err = c.next("secret")
	return err
}
