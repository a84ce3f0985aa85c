package edge_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/broker/edge"
	"github.com/fanfare-mq/fanfare/broker/packet"
)

const signatureV2 = "\r\n\r\n\x00\r\nQUIT\n"

// headerV2 is a PROXY header of version 2.
func headerV2(command, family byte, block string) string {
	return signatureV2 + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(block)))) + block
}

// The address blocks of 192.0.2.7:40000 and [2001:db8::7]:40000.
const (
	block4 = "\xc0\x00\x02\x07\x7f\x00\x00\x01\x9c\x40\x07\x5b"
	block6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x9c\x40\x07\x5b"
)

func TestProxyHeaders(t *testing.T) {
	t.Parallel()
	unix := strings.Repeat("/", 216)
	for _, tt := range []struct {
		name, header, remote string // remote "": the peer's own
	}{
		{"v1 IPv4", proxyV1, "192.0.2.7:40000"},
		{"v1 IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 40000 1883\r\n", "[2001:db8::7]:40000"},
		{"v1 unknown", "PROXY UNKNOWN\r\n", ""},
		{"v1 unknown with addresses", "PROXY UNKNOWN 192.0.2.7 127.0.0.1 40000 1883\r\n", ""},
		{"v2 IPv4", headerV2(0x21, 0x11, block4), "192.0.2.7:40000"},
		{"v2 IPv4 with additions", headerV2(0x21, 0x11, block4+"\x04\x00\x03abc"), "192.0.2.7:40000"},
		{"v2 IPv6", headerV2(0x21, 0x21, block6), "[2001:db8::7]:40000"},
		{"v2 with 2 KiB of additions", headerV2(0x21, 0x11, block4+"\x04\x08\x00"+strings.Repeat("x", 2048)), "192.0.2.7:40000"},
		{"v2 local", headerV2(0x20, 0x00, ""), ""},
		{"v2 local with addresses", headerV2(0x20, 0x11, block4), ""},
		{"v2 unix socket", headerV2(0x21, 0x31, unix), ""},
		{"v2 datagram", headerV2(0x21, 0x12, block4), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, secured(t), proxied)
			for _, kind := range []edge.Kind{edge.TCP, edge.TLS, edge.WS, edge.WSS} {
				d := w.on(opening{kind, tt.header}.dial(t.Context(), w))
				if code := d.hello(w, "acme", "ana", "phone"); code != packet.Accepted {
					t.Fatalf("%s: %s", kind, code)
				}
				got := w.edge.Peers()[0].Remote
				if tt.remote != "" && got != tt.remote || tt.remote == "" && !strings.HasPrefix(got, "127.0.0.1:") {
					t.Errorf("%s: the client is %s, want %s", kind, got, tt.remote)
				}
				d.send(packet.Disconnect{}.Append(nil))
				d.closed()
				until(t, "the end", func() bool { return len(w.edge.Peers()) == 0 })
			}
		})
	}
}

// A header may come in pieces, and with everything behind it.
func TestProxyHeaderSplitAnywhere(t *testing.T) {
	t.Parallel()
	w := start(t, proxied)
	for _, header := range []string{proxyV1, headerV2(0x21, 0x11, block4+"\x04\x00\x03abc")} {
		all := append([]byte(header), w.hello()...)
		for cut := range len(header) + 5 {
			d := w.on(w.tcp(edge.TCP))
			if cut > 0 {
				d.send(all[:cut])
			}
			d.send(all[cut:])
			d.next(packet.CONNACK)
			_ = d.nc.Close()
		}
		d := w.on(w.tcp(edge.TCP))
		for _, b := range all {
			d.send([]byte{b})
		}
		d.next(packet.CONNACK)
	}
}

func TestProxyHeaderIsRequired(t *testing.T) {
	t.Parallel()
	var log lines
	w := start(t, secured(t), proxied, log.into)
	for n, begin := range []string{
		string(w.hello()),
		"PROXY TCP4 192.0.2.7\r\n" + string(w.hello()),
		"PROXY TCP4 192.0.2.7 127.0.0.1 99999 1883\r\n",
		"PROXY TCP9 x\r\n",
		"PROXY TCP4 " + strings.Repeat("x", 300),
		headerV2(0x21, 0x11, "short"),
		headerV2(0x25, 0x11, block4),
		"\x16\x03\x01",
		"GET /mqtt HTTP/1.1\r\n\r\n",
	} {
		for _, kind := range []edge.Kind{edge.TCP, edge.TLS, edge.WS, edge.WSS} {
			nc := w.tcp(kind)
			if _, err := io.WriteString(nc, begin); err != nil {
				t.Fatal(err)
			}
			gone(t, nc)
		}
		until(t, "it is counted", func() bool { return w.metric("proxy_header_failures_total", "") == float64(4*(n+1)) })
	}
	if !log.has("level=WARN", "no PROXY header from a load balancer", "remote=127.0.0.1:") {
		t.Error("the reason is not logged")
	}
	_ = w.tcp(edge.TCP).Close() // a health check is no failure
	until(t, "every place is free", func() bool { open, _, _ := w.edge.Places(); return open == 0 })
	if n := w.metric("proxy_header_failures_total", ""); n != 36 {
		t.Errorf("counted %v", n)
	}
}

func TestProxyHeaderInTime(t *testing.T) {
	t.Parallel()
	var log lines
	w := start(t, proxied, log.into)
	begun := time.Now()
	nc := w.tcp(edge.TCP)
	if _, err := io.WriteString(nc, "PROXY TCP4 "); err != nil {
		t.Fatal(err)
	}
	gone(t, nc)
	if took := time.Since(begun); took < 4*time.Second || took > 8*time.Second {
		t.Errorf("closed after %s", took)
	}
	until(t, "the reason", func() bool { return log.has("no PROXY header", "timeout") })
}

// From elsewhere a PROXY header is garbage.
func TestProxyHeaderFromStrangers(t *testing.T) {
	t.Parallel()
	for name, from := range map[string][]netip.Prefix{
		"off":           nil,
		"other network": {netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	} {
		w := start(t, func(c *edge.Config) { c.ProxyFrom = from })
		d := w.on(w.tcp(edge.TCP))
		d.send(append([]byte(headerV2(0x21, 0x11, block4)), w.hello()...))
		d.closed()
		d = w.on(w.tcp(edge.TCP))
		if code := d.hello(w, "acme", "ana", "phone"); code != packet.Accepted {
			t.Errorf("%s: %s", name, code)
		}
		if got := w.edge.Peers()[0].Remote; !strings.HasPrefix(got, "127.0.0.1:") {
			t.Errorf("%s: the client is %s", name, got)
		}
	}
}

// Whatever comes, nothing is read past the header and nothing panics.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{
		proxyV1 + "x", "PROXY UNKNOWN\r\n", "PROXY ", headerV2(0x21, 0x11, block4) + "x", headerV2(0x20, 0, ""), headerV2(0x21, 0x21, block6), "\x10\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		br := bufio.NewReaderSize(bytes.NewReader(in), 256)
		source, err := edge.ProxySource(br)
		if err != nil {
			return
		}
		rest, err := io.ReadAll(br)
		if err != nil {
			t.Fatal(err)
		}
		header := in[:len(in)-len(rest)]
		switch {
		case bytes.HasPrefix(header, []byte(signatureV2)):
			if len(header) != 16+int(binary.BigEndian.Uint16(header[14:])) {
				t.Errorf("took %d bytes for %q", len(header), header)
			}
		case !bytes.HasPrefix(header, []byte("PROXY ")) || bytes.IndexByte(header, '\n') != len(header)-1 || len(header) > 107:
			t.Errorf("took %q for a header", header)
		}
		if source.IsValid() && source.Addr().Is4In6() {
			t.Errorf("%s is an IPv4 address in disguise", source)
		}
	})
}
