package chaos

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// stream cuts what arrives into packets.
type stream struct {
	r       *bufio.Reader
	version packet.Version
	buf     []byte
	last    time.Time // when a packet arrived
}

// next is the next packet, valid until the one after it. A time-out between
// packets loses nothing.
func (s *stream) next() (packet.Frame, error) {
	for {
		f, n, err := packet.Split(s.buf, 0)
		if err != nil {
			return packet.Frame{}, err
		}
		if n > 0 {
			// The rest moves at the next call, as the frame lies in the buffer.
			frame := packet.Frame{Type: f.Type, Flags: f.Flags, Body: slices.Clone(f.Body), Version: s.version}
			s.buf = append(s.buf[:0], s.buf[n:]...)
			s.last = time.Now()
			return frame, nil
		}
		if s.last.IsZero() {
			s.last = time.Now()
		}
		chunk := make([]byte, max(s.r.Buffered(), 512))
		got, err := s.r.Read(chunk)
		s.buf = append(s.buf, chunk[:got]...)
		if err != nil && got == 0 {
			return packet.Frame{}, err
		}
	}
}

// receive takes one packet and answers it.
func (d *device) receive(f packet.Frame) error {
	switch f.Type {
	case packet.PUBLISH:
		return d.receivePublish(f)
	case packet.SUBACK:
		return d.receiveSuback(f)
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		var ack packet.Ack
		if err := ack.Decode(f); err != nil {
			return err
		}
		return d.receiveAck(ack)
	case packet.DISCONNECT:
		return io.EOF
	default:
		return nil
	}
}

func (d *device) receiveSuback(f packet.Frame) error {
	var ack packet.Suback
	if err := ack.Decode(f); err != nil {
		return err
	}
	if ack.Codes[0] > 2 {
		return fmt.Errorf("SUBACK %#x", ack.Codes[0])
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.subscribed = true
	d.openGate()
	return nil
}

// receivePublish takes a message, QoS 2 once for each identifier until PUBREL.
// [MQTT-4.3.3-2] as a receiver.
func (d *device) receivePublish(f packet.Frame) error {
	var p packet.Publish
	if err := p.Decode(f); err != nil {
		return err
	}
	d.mu.Lock()
	_, repeated := d.waiting[p.PacketID]
	if p.QoS == 2 {
		d.waiting[p.PacketID] = struct{}{}
	}
	d.mu.Unlock()
	if p.QoS != 2 || !repeated {
		d.heard(string(p.Topic), p.Payload, p.QoS)
	}
	switch p.QoS {
	case 1:
		return d.send(packet.Ack{Type: packet.PUBACK, Version: d.version, PacketID: p.PacketID}.Append(nil))
	case 2:
		return d.send(packet.Ack{Type: packet.PUBREC, Version: d.version, PacketID: p.PacketID}.Append(nil))
	default:
		return nil
	}
}

func (d *device) receiveAck(ack packet.Ack) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ack.Type == packet.PUBREL {
		delete(d.waiting, ack.PacketID)
		return d.write(packet.Ack{Type: packet.PUBCOMP, Version: d.version, PacketID: ack.PacketID}.Append(nil))
	}
	i := slices.IndexFunc(d.outgoing, func(o outgoing) bool { return o.id == ack.PacketID })
	if i < 0 {
		return nil
	}
	o := &d.outgoing[i]
	switch {
	case ack.Reason >= packet.UnspecifiedError && ack.Type != packet.PUBCOMP:
		d.world.problem("%s: its publish was refused: %v", d.id, ack.Reason)
	case ack.Type == packet.PUBREC && o.qos == 2:
		o.received = true
		return d.write(o.encode(d.version, false))
	}
	d.outgoing = slices.Delete(d.outgoing, i, i+1)
	<-d.room
	return nil
}
