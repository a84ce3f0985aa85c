// Package device is an MQTT 3.1.1 client as an app would have it: a stock
// client library, with refusals in words.
package device

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	keepAlive = 30 * time.Second
	// dialTimeout covers the connection and the answer to CONNECT.
	dialTimeout = 15 * time.Second
	// quiesce lets acknowledgements under way leave before DISCONNECT, in
	// milliseconds.
	quiesce = 100
	// version311 is the protocol level of MQTT 3.1.1 [MQTT-3.1.2-2].
	version311 = 4
	// refused is the return code of a filter that was not granted [MQTT-3.9.3-2].
	refused = 0x80
)

// Options say where and as whom to connect.
type Options struct {
	URL      string // tcp://, ssl://, ws:// or wss://; mqtt:// and mqtts:// too
	ClientID string
	Username string // "{org}/{app}"
	Token    string // JWT: the password
	// Received is called for each message, in order; it must not block long.
	Received func(Message)
	// Lost is called once when the connection ends and nobody asked for it.
	Lost func(error)
}

// Message is one that arrived.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
}

// Device is a connected client.
type Device struct {
	client mqtt.Client
}

// Connect connects once; it does not try again.
func Connect(ctx context.Context, o Options) (*Device, error) {
	options := mqtt.NewClientOptions().
		AddBroker(brokerURL(o.URL)).
		SetClientID(o.ClientID).
		SetUsername(o.Username).
		SetPassword(o.Token).
		SetProtocolVersion(version311).
		SetKeepAlive(keepAlive).
		SetConnectTimeout(dialTimeout).
		SetAutoReconnect(false).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) {
			if o.Lost != nil {
				o.Lost(err)
			}
		}).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			if o.Received != nil {
				o.Received(Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos()})
			}
		})
	d := &Device{client: mqtt.NewClient(options)}
	token := d.client.Connect()
	if err := wait(ctx, token); ctx.Err() != nil {
		d.client.Disconnect(0)
		return nil, fmt.Errorf("no MQTT connection to %s: %w", o.URL, ctx.Err())
	} else if err != nil {
		return nil, connectError(o.URL, token, err)
	}
	return d, nil
}

// Subscribe asks for one filter. The error is a *RefusedError when the server said no.
func (d *Device) Subscribe(ctx context.Context, filter string, qos byte) error {
	token := d.client.Subscribe(filter, qos, nil)
	if err := wait(ctx, token); err != nil {
		return fmt.Errorf("subscribe %s: %w", filter, err)
	}
	// The library strips $share and $queue from the key of its only result.
	if t, ok := token.(*mqtt.SubscribeToken); ok && slices.Contains(slices.Collect(maps.Values(t.Result())), refused) {
		return &RefusedError{Code: refused, Reason: "the server refuses " + filter + " (SUBACK 0x80): this token may not subscribe to it"}
	}
	return nil
}

// Publish sends a message and waits for its acknowledgement, if QoS asks for one.
func (d *Device) Publish(ctx context.Context, topic string, qos byte, payload string) error {
	if err := wait(ctx, d.client.Publish(topic, qos, false, payload)); err != nil {
		return fmt.Errorf("publish %s: %w", topic, err)
	}
	return nil
}

// Close says goodbye.
func (d *Device) Close() { d.client.Disconnect(quiesce) }

// RefusedError is a clear no of the server.
type RefusedError struct {
	Code   byte // of the CONNACK or SUBACK
	Reason string
}

// Error is the reason.
func (r *RefusedError) Error() string { return r.Reason }

// reasons are the return codes of CONNACK in words [MQTT-3.2.2.3].
var reasons = map[byte]string{
	1: "it does not speak this version of MQTT",
	2: "it does not accept this client id",
	3: "it cannot check credentials now; try again later",
	4: "user name or token is wrong or expired; the user name is {org}/{app}",
	5: "this client may not connect; the token may be bound to another client id",
}

func connectError(url string, token mqtt.Token, err error) error {
	if t, ok := token.(*mqtt.ConnectToken); ok {
		if reason, ok := reasons[t.ReturnCode()]; ok {
			return &RefusedError{Code: t.ReturnCode(), Reason: fmt.Sprintf("%s refuses the connection (CONNACK %d): %s", url, t.ReturnCode(), reason)}
		}
	}
	return fmt.Errorf("no MQTT connection to %s: %w", url, err)
}

// brokerURL gives a URL the scheme that the client library knows.
func brokerURL(url string) string {
	if rest, ok := strings.CutPrefix(url, "mqtt://"); ok {
		return "tcp://" + rest
	}
	if rest, ok := strings.CutPrefix(url, "mqtts://"); ok {
		return "ssl://" + rest
	}
	return url
}

func wait(ctx context.Context, token mqtt.Token) error {
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}
