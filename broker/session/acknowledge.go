package session

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// receiveAck takes the client's acknowledgement of a message. One that belongs
// to no message is ignored: it does no harm, and clients do send it after a
// reconnect. There it may come before the message is sent again, which then is
// not necessary.
func (s *Session) receiveAck(f packet.Frame, now time.Time) {
	var p packet.Ack
	if err := p.Decode(f); err != nil {
		s.malformed(err, now)
		return
	}
	i := s.flights.index(p.PacketID)
	switch f.Type {
	case packet.PUBACK:
		s.receivePuback(i, now)
	case packet.PUBREC:
		s.receivePubrec(i, &p, now)
	default:
		s.receivePubcomp(i, now)
	}
	if len(s.progress.acked) > maxAcked {
		s.end(ReasonSlowConsumer.With("an old message is never acknowledged"), now)
		return
	}
	s.pump(now)
}

func (s *Session) receivePuback(i int, now time.Time) {
	if i < 0 || s.flights.list[i].QoS != 1 || s.flights.list[i].held {
		return
	}
	seq, own := s.flights.list[i].Seq, s.flights.list[i].Group == ""
	s.dealtWith(s.flights.list[i].loan)
	s.flights.remove(i) // [MQTT-4.3.2-3] its identifier is free
	if own {
		s.complete(seq, now)
	}
}

// receivePubrec goes on to the second half of QoS 2: from now on the client
// has the message, and it must not be sent again. [MQTT-4.3.3-4] [MQTT-4.3.3-5].
func (s *Session) receivePubrec(i int, p *packet.Ack, now time.Time) {
	if i < 0 || s.flights.list[i].QoS != 2 || s.flights.list[i].held {
		s.pubrel(p.PacketID, packet.PacketIdentifierNotFound)
		return
	}
	e := &s.flights.list[i]
	seq, own := e.Seq, e.Group == ""
	switch {
	case p.Reason >= packet.UnspecifiedError:
		s.dealtWith(e.loan)
		s.flights.remove(i) // the exchange is over, and nothing goes out again
	case e.Released && s.awaits(packet.PUBREL, p.PacketID): // twice, while the first is being written
	default:
		s.flights.send(i)
		if !e.Released {
			e.Released = true
			s.changed()
		}
		s.await(step{kind: packet.PUBREL, id: p.PacketID}, now)
	}
	if own {
		s.complete(seq, now)
	}
}

// pubrel answers a PUBREC; only 5.0 can be told that it was not expected.
func (s *Session) pubrel(id uint16, reason packet.ReasonCode) {
	s.out = packet.Ack{Type: packet.PUBREL, Version: s.version, PacketID: id, Reason: reason}.Append(s.out) // [MQTT-3.6.1-1]
}

func (s *Session) receivePubcomp(i int, now time.Time) {
	if i >= 0 && s.flights.list[i].Released {
		s.flights.remove(i)
		s.touched(now)
	}
}
