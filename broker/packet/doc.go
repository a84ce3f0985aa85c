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
// MQTT 3.1, 3.1.1 and 5.0 are implemented. The version travels on the Frame for
// decoding, where the connection's owner sets it after Split, and on the packet
// for encoding; zero means V311. A CONNECT finds its own. What a version does
// not have, such as the properties and reason codes before 5.0, is neither read
// nor written, whatever the fields hold.
//
// 3.1 has no conformance clauses and is read as its servers have always read
// it: what it reserves but does not use may be anything.
//
// What a *Malformed calls the Reason is what 5.0 answers: ProtocolError where
// its text says so, MalformedPacket for all else.
package packet
