package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

func roundTrips(s session) error {
	sub, err := s.client(nil)
	if err != nil {
		return err
	}
	defer sub.end()
	pub, err := s.client(nil)
	if err != nil {
		return err
	}
	defer pub.end()
	for qos := range byte(3) {
		s.begin(fmt.Sprintf("QoS %d both ways", qos))
		topic := s.topic(fmt.Sprint("qos", qos))
		if err := sub.subscribe(topic, qos); err != nil {
			return err
		}
		for i := range 10 {
			text := fmt.Sprint("message ", i)
			if err := pub.publish(topic, text, qos, false); err != nil {
				return err
			}
			m, err := sub.next(text)
			if err != nil {
				return err
			}
			if err := expect("QoS", m.Qos(), qos); err != nil {
				return err
			}
		}
	}
	return nil
}

func retained(s session) error {
	s.begin("retained")
	pub, err := s.client(nil)
	if err != nil {
		return err
	}
	defer pub.end()
	if err := pub.publish(s.topic("retained"), "kept", 1, true); err != nil {
		return err
	}
	sub, err := s.client(nil)
	if err != nil {
		return err
	}
	defer sub.end()
	if err := sub.subscribe(s.topic("retained"), 1); err != nil {
		return err
	}
	m, err := sub.next("kept")
	if err != nil {
		return err
	}
	return errors.Join(expect("retained", m.Retained(), true), pub.publish(s.topic("retained"), "", 1, true))
}

func will(s session) error {
	s.begin("will")
	sub, err := s.client(nil)
	if err != nil {
		return err
	}
	defer sub.end()
	if err := sub.subscribe(s.topic("will"), 1); err != nil {
		return err
	}
	lost, err := s.client(func(o *paho.ClientOptions) { o.SetWill(s.topic("will"), "gone", 1, false) })
	if err != nil {
		return err
	}
	_ = lost.conn.Close()
	_, err = sub.next("gone")
	return err
}

func resume(s session) error {
	s.begin("persistent resume")
	durable := func(o *paho.ClientOptions) {
		o.SetCleanSession(false).SetClientID(fmt.Sprintf("pahogo-durable-%d-%d", os.Getpid(), s.version))
	}
	sub, err := s.client(durable)
	if err != nil {
		return err
	}
	if err := errors.Join(expect("session present", sub.present, false), sub.subscribe(s.topic("resume"), 1)); err != nil {
		return err
	}
	sub.end()
	pub, err := s.client(nil)
	if err != nil {
		return err
	}
	defer pub.end()
	if err := pub.publish(s.topic("resume"), "while away", 1, false); err != nil {
		return err
	}
	if sub, err = s.client(durable); err != nil {
		return err
	}
	defer sub.end()
	if err := expect("session present", sub.present, s.version == 4); err != nil {
		return err
	}
	_, err = sub.next("while away")
	return err
}

func share(s session) error {
	s.begin("share group")
	both := make(chan string, 100)
	for range 2 {
		member, err := s.client(func(o *paho.ClientOptions) {
			o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { both <- string(m.Payload()) })
		})
		if err != nil {
			return err
		}
		defer member.end()
		if err := member.subscribe("$share/pahogo/"+s.topic("share"), 1); err != nil {
			return err
		}
	}
	pub, err := s.client(nil)
	if err != nil {
		return err
	}
	defer pub.end()
	for i := range 20 {
		if err := pub.publish(s.topic("share"), strconv.Itoa(i), 1, false); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for range 20 {
		select {
		case text := <-both:
			seen[text] = true
		case <-time.After(patience):
			return fmt.Errorf("%d messages", len(seen))
		}
	}
	return expect("distinct messages", len(seen), 20)
}

// over sends one message to itself over another transport.
func over(name, address string) error {
	begin(name)
	topic := os.Getenv("MQTT_PREFIX") + "/" + name
	c, err := dial(address, 4, func(o *paho.ClientOptions) {
		pool := x509.NewCertPool()
		if pem, err := os.ReadFile(os.Getenv("MQTT_CA")); err == nil {
			pool.AppendCertsFromPEM(pem)
		}
		o.SetTLSConfig(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	})
	if err != nil {
		return err
	}
	defer c.end()
	if err := errors.Join(c.subscribe(topic, 1), c.publish(topic, "secret", 1, false)); err != nil {
		return err
	}
	_, err = c.next("secret")
	return err
}
