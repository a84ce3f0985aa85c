package serve

import (
	"log/slog"
	"net"
)

// Addresses are where a process listens, with the ports that it was given.
// An empty one is off.
type Addresses struct {
	HTTP, Admin, Metrics string
	MQTT, MQTTS, WS, WSS string
}

// LogValue lists the addresses that are on.
func (a Addresses) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, entry := range []struct{ name, value string }{
		{"http", a.HTTP},
		{"admin", a.Admin},
		{"metrics", a.Metrics},
		{"mqtt", a.MQTT},
		{"mqtts", a.MQTTS},
		{"ws", a.WS},
		{"wss", a.WSS},
	} {
		if entry.value != "" {
			attrs = append(attrs, slog.String(entry.name, entry.value))
		}
	}
	return slog.GroupValue(attrs...)
}

// Place is something to open or connect to.
type Place struct{ Name, URL string }

// Places are the addresses as somebody on this machine would use them.
func (a Addresses) Places() []Place {
	var places []Place
	add := func(name, url string) {
		if url != "" {
			places = append(places, Place{name, url})
		}
	}
	add("API", url("http", a.HTTP))
	if a.HTTP != "" {
		add("docs", url("http", a.HTTP)+"/docs")
	}
	add("admin", url("http", a.Admin))
	add("MQTT", url("mqtt", a.MQTT))
	add("MQTTS", url("mqtts", a.MQTTS))
	add("MQTT/WS", webSocket("ws", a.WS))
	add("MQTT/WSS", webSocket("wss", a.WSS))
	add("metrics", url("http", a.Metrics))
	return places
}

// local returns the address as a client on this machine reaches it.
func local(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// url is the address as a URL, or "" when it is off.
func url(scheme, address string) string {
	if address == "" {
		return ""
	}
	return scheme + "://" + local(address)
}

// webSocket is the address as the URL of the edge's WebSocket endpoint.
func webSocket(scheme, address string) string {
	if address == "" {
		return ""
	}
	return url(scheme, address) + "/mqtt"
}
