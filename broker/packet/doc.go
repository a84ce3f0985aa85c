// Package packet is the MQTT codec: bytes in, packets out, and back, for both
// sides of a connection. It does no I/O and keeps no state.
//
// Split cuts a stream into frames; every packet decodes itself from a frame
// and appends itself to a slice:
//
//	func (p *X) Decode(f Frame) error      // overwrites *p
//	func (p X) Append(dst []byte) []byte   // a whole frame
//
// Decode enforces every rule of the specification that one packet alone can
// break, each marked with its clause; rules between packets are the session's.
// After an error the content of *p means nothing, unless the packet says
// otherwise. Append trusts its caller: it does not validate, but it never
// writes a frame whose lengths disagree with its content, as long as the frame
// stays within MaxRemainingLength.
//
// Only Publish aliases the frame it was decoded from. All other packets own
// what they hold.
//
// MQTT 3.1.1 (V311) is implemented. Version is where 3.1 and 5.0 join: a
// version will travel on the frame for decoding, on the packet for encoding,
// its zero value meaning V311, and MQTT 5 properties will be a field of the
// packets that have them.
package packet
