package serve

import (
	"cmp"
	"log/slog"
	"net"
)

// Addresses are where a process listens, with the ports that it was given.
// An empty one is off.
type Addresses struct {
	HTTP, Admin, Metrics string
	MQTT, MQTTS, WS, WSS string
}

// LogValue lists the places by their keys.
func (a Addresses) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, place := range a.Places() {
		attrs = append(attrs, slog.String(place.Key, place.URL))
	}
	return slog.GroupValue(attrs...)
}

// Place is something to open or connect to.
type Place struct {
	Key  string // in the log
	Name string // for people
	URL  string
}

// Management is the URL of the address that people use: sign-up, apps, docs.
func (a Addresses) Management() string { return url("http", cmp.Or(a.Admin, a.HTTP)) }

// Places are the addresses as somebody on this machine would use them.
func (a Addresses) Places() []Place {
	var places []Place
	add := func(key, name, url string) {
		if url != "" {
			places = append(places, Place{key, name, url})
		}
	}
	add("http", "API", url("http", a.HTTP))
	add("admin", "admin", url("http", a.Admin))
	if management := a.Management(); management != "" {
		add("docs", "docs", management+"/docs")
	}
	add("mqtt", "MQTT", url("mqtt", a.MQTT))
	add("mqtts", "MQTTS", url("mqtts", a.MQTTS))
	add("ws", "MQTT/WS", webSocket("ws", a.WS))
	add("wss", "MQTT/WSS", webSocket("wss", a.WSS))
	add("metrics", "metrics", url("http", a.Metrics))
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
