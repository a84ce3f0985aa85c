package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

func roundTrips(ctx context.Context) error {
	for qos := range byte(3) {
		begin(fmt.Sprintf("QoS %d both ways", qos))
		name := topic(fmt.Sprint("qos", qos))
		sub, pub, err := pair(ctx, name, qos)
		if err != nil {
			return err
		}
		for i := range 10 {
			text := fmt.Sprint("message ", i)
			if err := pub.publish(ctx, name, text, qos, false); err != nil {
				return err
			}
			m, err := sub.next(text)
			if err != nil {
				return err
			}
			if err := expect("QoS", m.QoS, qos); err != nil {
				return err
			}
		}
		sub.end()
		pub.end()
	}
	return nil
}

func retained(ctx context.Context) error {
	begin("retained")
	pub, err := dial(ctx, nil)
	if err != nil {
		return err
	}
	defer pub.end()
	if err := pub.publish(ctx, topic("retained"), "kept", 1, true); err != nil {
		return err
	}
	sub, err := dial(ctx, nil)
	if err != nil {
		return err
	}
	defer sub.end()
	if err := sub.subscribe(ctx, topic("retained"), 1); err != nil {
		return err
	}
	m, err := sub.next("kept")
	if err != nil {
		return err
	}
	return errors.Join(expect("retained", m.Retain, true), pub.publish(ctx, topic("retained"), "", 1, true))
}

func will(ctx context.Context) error {
	begin("will")
	sub, pub, err := pair(ctx, topic("will"), 1)
	if err != nil {
		return err
	}
	defer sub.end()
	defer pub.end()
	lost, err := dial(ctx, func(cp *paho.Connect) {
		cp.WillMessage = &paho.WillMessage{Topic: topic("will"), Payload: []byte("gone"), QoS: 1}
	})
	if err != nil {
		return err
	}
	_ = lost.conn.Close()
	_, err = sub.next("gone")
	return err
}

func resume(ctx context.Context) error {
	begin("persistent resume")
	durable := func(cp *paho.Connect) {
		cp.CleanStart, cp.ClientID = false, fmt.Sprintf("pahogo5-durable-%d", os.Getpid())
		expiry := uint32(60)
		cp.Properties = &paho.ConnectProperties{SessionExpiryInterval: &expiry}
	}
	sub, err := dial(ctx, durable)
	if err != nil {
		return err
	}
	if err := errors.Join(expect("session present", sub.present, false), sub.subscribe(ctx, topic("resume"), 1)); err != nil {
		return err
	}
	sub.end()
	pub, err := dial(ctx, nil)
	if err != nil {
		return err
	}
	defer pub.end()
	if err := pub.publish(ctx, topic("resume"), "while away", 1, false); err != nil {
		return err
	}
	// The library's own session was lost with the client; the server's was not.
	if sub, err = dial(ctx, durable); err != nil {
		return err
	}
	defer sub.end()
	if err := expect("session present", sub.present, true); err != nil {
		return err
	}
	_, err = sub.next("while away")
	return err
}

func share(ctx context.Context) error {
	begin("share group")
	one, pub, err := pair(ctx, "$share/pahogo5/"+topic("share"), 1)
	if err != nil {
		return err
	}
	defer one.end()
	defer pub.end()
	two, err := dial(ctx, nil)
	if err != nil {
		return err
	}
	defer two.end()
	if err := two.subscribe(ctx, "$share/pahogo5/"+topic("share"), 1); err != nil {
		return err
	}
	for i := range 20 {
		if err := pub.publish(ctx, topic("share"), strconv.Itoa(i), 1, false); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for range 20 {
		select {
		case m := <-one.arrived:
			seen[string(m.Payload)] = true
		case m := <-two.arrived:
			seen[string(m.Payload)] = true
		case <-time.After(patience):
			return fmt.Errorf("%d messages", len(seen))
		}
	}
	return expect("distinct messages", len(seen), 20)
}

func requestResponse(ctx context.Context) error {
	begin("request and response, user properties")
	sub, pub, err := pair(ctx, topic("question"), 1)
	if err != nil {
		return err
	}
	defer sub.end()
	defer pub.end()
	properties := &paho.PublishProperties{ResponseTopic: topic("answer"), CorrelationData: []byte{0, 255}}
	properties.User.Add("b", "1").Add("a", "2").Add("b", "3")
	if _, err := pub.Publish(ctx, &paho.Publish{Topic: topic("question"), QoS: 1, Payload: []byte("?"), Properties: properties}); err != nil {
		return err
	}
	m, err := sub.next("?")
	if err != nil {
		return err
	}
	return errors.Join(
		expect("response topic", m.Properties.ResponseTopic, topic("answer")),
		expect("correlation data", string(m.Properties.CorrelationData), "\x00\xff"),
		expect("user properties", fmt.Sprint(m.Properties.User), "[{b 1} {a 2} {b 3}]"),
	)
}
