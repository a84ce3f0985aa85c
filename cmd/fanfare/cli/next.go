package cli

import (
	"cmp"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// The settings that tell a command where the server is.
const (
	apiURL  = "FANFARE_URL"
	mqttURL = "FANFARE_MQTT_URL"
)

// export prints the line that makes the next commands find a server, unless
// they find it without.
func (t *terminal) export(variable, value string) {
	if value != "" && !sameServer(value, cmp.Or(t.env[variable], defaultOf(variable))) {
		t.say("  export %s=%s", variable, quoted(value))
	}
}

func defaultOf(variable string) string {
	table := config.ClientTable()
	return table[slices.IndexFunc(table, func(s config.Setting) bool { return s.Var == variable })].Default
}

// sameServer says whether two URLs lead to one listener: this machine and MQTT
// over TCP have several names.
func sameServer(a, b string) bool {
	u, err := url.Parse(a)
	v, err2 := url.Parse(b)
	return err == nil && err2 == nil && scheme(u) == scheme(v) && host(u) == host(v) && u.Port() == v.Port() &&
		strings.Trim(u.Path, "/") == strings.Trim(v.Path, "/")
}

func scheme(u *url.URL) string {
	if u.Scheme == "mqtt" {
		return "tcp"
	}
	return u.Scheme
}

func host(u *url.URL) string {
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		return "localhost"
	}
	return strings.ToLower(u.Hostname())
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// quoted is a word as a shell reads it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
