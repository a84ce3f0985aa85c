// Command pahogo is paho.mqtt.golang (MQTT 3.1 and 3.1.1) against a broker,
// step by step: the first that fails ends it.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const patience = 15 * time.Second

// step is what the program is at.
var step string

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "pahogo: %s: %v\n", step, err)
		os.Exit(1)
	}
}

func run() error {
	for _, version := range []uint{3, 4} {
		for _, part := range []func(session) error{roundTrips, retained, will, resume, share} {
			if err := part(session{version: version}); err != nil {
				return err
			}
		}
	}
	if err := over("WebSocket", "ws://"+net.JoinHostPort(os.Getenv("MQTT_HOST"), os.Getenv("MQTT_WS_PORT"))+"/mqtt"); err != nil {
		return err
	}
	if port := os.Getenv("MQTT_TLS_PORT"); port != "" {
		if err := over("TLS", "ssl://"+net.JoinHostPort(os.Getenv("MQTT_HOST"), port)); err != nil {
			return err
		}
	}
	begin("done")
	return nil
}

func begin(name string) {
	step = name
	fmt.Println(name)
}

// done waits for a token.
func done(t paho.Token) error {
	if !t.WaitTimeout(patience) {
		return errors.New("no answer in time")
	}
	return t.Error()
}

func expect[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

// session makes clients of one version.
type session struct{ version uint }

func (s session) begin(name string) { begin(fmt.Sprintf("v%d %s", s.version, name)) }

func (s session) topic(name string) string {
	return fmt.Sprintf("%s/v%d/%s", os.Getenv("MQTT_PREFIX"), s.version, name)
}

// client is a connection and what it receives.
type client struct {
	paho.Client

	arrived chan paho.Message
	conn    net.Conn // to be cut
	present bool     // Session Present
}

var clients int

func (s session) client(change func(*paho.ClientOptions)) (*client, error) {
	return dial("tcp://"+net.JoinHostPort(os.Getenv("MQTT_HOST"), os.Getenv("MQTT_PORT")), s.version, change)
}

func dial(address string, version uint, change func(*paho.ClientOptions)) (*client, error) {
	clients++
	c := &client{arrived: make(chan paho.Message, 100)}
	o := paho.NewClientOptions().AddBroker(address).SetProtocolVersion(version).
		SetClientID(fmt.Sprintf("pahogo-%d-%d", os.Getpid(), clients)).
		SetUsername(os.Getenv("MQTT_USERNAME")).SetPassword(os.Getenv("MQTT_PASSWORD")).
		SetAutoReconnect(false).SetConnectTimeout(patience).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { c.arrived <- m })
	if change != nil {
		change(o)
	}
	if len(o.Servers) == 1 && o.Servers[0].Scheme == "tcp" {
		o.SetCustomOpenConnectionFn(func(_ *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			var err error
			c.conn, err = (&net.Dialer{Timeout: patience}).DialContext(context.Background(), "tcp", o.Servers[0].Host)
			return c.conn, err
		})
	}
	c.Client = paho.NewClient(o)
	token := c.Connect()
	if err := done(token); err != nil {
		return nil, err
	}
	if connected, ok := token.(*paho.ConnectToken); ok {
		c.present = connected.SessionPresent()
	}
	return c, nil
}

// next waits for a message with that payload.
func (c *client) next(payload string) (paho.Message, error) {
	select {
	case m := <-c.arrived:
		return m, expect("payload", string(m.Payload()), payload)
	case <-time.After(patience):
		return nil, errors.New("no message in time")
	}
}

func (c *client) subscribe(topic string, qos byte) error {
	token := c.Subscribe(topic, qos, nil)
	if err := done(token); err != nil {
		return err
	}
	granted, ok := token.(*paho.SubscribeToken)
	if !ok {
		return errors.New("no SUBACK")
	}
	for _, got := range granted.Result() { // one, without the name of its share
		if err := expect("granted QoS", got, qos); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) publish(topic, payload string, qos byte, retained bool) error {
	return done(c.Publish(topic, qos, retained, payload))
}

func (c *client) end() { c.Disconnect(250) }
