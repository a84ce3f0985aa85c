package config

import (
	"encoding/base64"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fanfare-mq/fanfare/tenant"
)

// KeyBytes is the length of the master key, for AES-256.
const KeyBytes = 32

// maxReplicas is what JetStream allows for one stream.
const maxReplicas = 5

// maxShards is as many streams as the message log may have.
const maxShards = 1024

// maxNode is long enough for a host name and keeps subjects short.
const maxNode = 64

// kind is a form that values have.
type kind struct {
	// describe says in a few words what a value looks like, for the documentation.
	describe func(Setting) string
	// check returns what is wrong with a value that is not empty, or "".
	check func(s Setting, value string) string
	// secret values are not repeated in errors; URLs may hold a password.
	secret bool
}

func kinds() map[string]kind {
	return map[string]kind{
		"address":   {describe: said("host:port"), check: checkAddress},
		"bytes":     {describe: said("bytes, such as 500MiB or 20GiB"), check: checkBytes},
		"choice":    {describe: oneOf, check: checkChoice},
		"choices":   {describe: someOf, check: checkChoices},
		"count":     {describe: said("number, at least 1"), check: checkCount},
		"days":      {describe: said("days, 1 to 3650"), check: checkDays},
		"file":      {describe: said("path of a file"), check: checkFile},
		"folder":    {describe: said("path of a folder"), check: nothing},
		"keepalive": {describe: said("seconds, 1 to 65535"), check: checkKeepAlive},
		"key":       {describe: said("32 bytes in base64"), check: checkKey, secret: true},
		"networks":  {describe: said("addresses and CIDR networks, with commas"), check: checkNetworks},
		"node":      {describe: said("letters, digits, - and _"), check: checkNode},
		"replicas":  {describe: said("1 to 5"), check: checkReplicas},
		"shards":    {describe: said("1 to 1024"), check: checkShards},
		"secret":    {describe: said("secret"), check: nothing, secret: true},
		"server":    {describe: said("host or host:port, several with spaces"), check: checkServers},
		"slug":      {describe: said("slug"), check: checkSlug},
		"url":       {describe: schemes, check: checkURL, secret: true},
		"urls":      {describe: schemes, check: checkURLs, secret: true},
	}
}

// checkServers takes what a server reference may say (MQTT 5.0 section 4.11).
func checkServers(_ Setting, value string) string {
	for server := range strings.FieldsSeq(value) {
		host := server
		if h, port, err := net.SplitHostPort(server); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return "has no valid port: " + server
			}
			host = h
		}
		if host == "" || strings.ContainsAny(host, "/@ ") {
			return "is not a host or host:port: " + server
		}
	}
	return ""
}

// Form says what a value of the setting looks like.
func (s Setting) Form() string { return kinds()[s.Kind].describe(s) }

// Check returns an error that tells how to fix the value, or nil.
func (s Setting) Check(value string) error {
	if value == "" {
		if s.Empty != "" || s.Kind == "secret" {
			return nil
		}
		return s.errorf("is empty; it takes: %s (unset it for %s)", s.Form(), s.Default)
	}
	k := kinds()[s.Kind]
	switch problem := k.check(s, value); {
	case problem == "":
		return nil
	case k.secret:
		return s.errorf("%s", problem)
	default:
		return s.errorf("is %q: %s", value, problem)
	}
}

func said(form string) func(Setting) string { return func(Setting) string { return form } }

func nothing(Setting, string) string { return "" }

func oneOf(s Setting) string { return strings.Join(s.Values, " or ") }

func someOf(s Setting) string { return "some of " + strings.Join(s.Values, ",") }

func schemes(s Setting) string { return "URL (" + strings.Join(s.Schemes, "://, ") + "://)" }

func checkAddress(_ Setting, value string) string {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return "it must be host:port, for instance :1883 or 127.0.0.1:1883"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "its port must be a number from 0 (any free port) to 65535"
	}
	return ""
}

func checkChoice(s Setting, value string) string {
	if slices.Contains(s.Values, value) {
		return ""
	}
	return "it must be " + oneOf(s)
}

func checkChoices(s Setting, value string) string {
	for _, part := range list(value) {
		if !slices.Contains(s.Values, part) {
			return "there is no " + strconv.Quote(part) + "; use " + someOf(s)
		}
	}
	return ""
}

// maxCount is beyond what one process could hold, and below any overflow.
const maxCount = 100_000_000

func checkCount(_ Setting, value string) string {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > maxCount {
		return "it must be a number from 1 to 100000000"
	}
	return ""
}

// minBytes is the smallest amount of storage that makes sense.
const minBytes = 1 << 20

func checkBytes(_ Setting, value string) string {
	if n, ok := byteSize(value); !ok || n < minBytes {
		return "it must be at least 1MiB, as a number of bytes or of KiB, MiB, GiB or TiB"
	}
	return ""
}

// byteSize reads a number of bytes with or without a unit.
func byteSize(value string) (n int64, ok bool) {
	unit := int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if number, found := strings.CutSuffix(value, suffix); found {
			value, unit = strings.TrimSpace(number), 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

func checkDays(_ Setting, value string) string {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 3650 {
		return "it must be a number of days from 1 to 3650"
	}
	return ""
}

func checkKeepAlive(_ Setting, value string) string {
	if n, err := strconv.ParseUint(value, 10, 16); err != nil || n == 0 {
		return "it must be a number from 1 to 65535"
	}
	return ""
}

func checkNetworks(_ Setting, value string) string {
	_, problem := networks(value)
	return problem
}

// networks reads addresses and CIDR networks; the second value says what is
// wrong with one of them.
func networks(value string) ([]netip.Prefix, string) {
	var found []netip.Prefix
	for _, part := range list(value) {
		p, err := netip.ParsePrefix(part)
		if addr, bare := netip.ParseAddr(part); bare == nil && addr.Zone() == "" {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, strconv.Quote(part) + " is neither an address nor a network such as 10.0.0.0/8"
		}
		if p != p.Masked() {
			return nil, strconv.Quote(part) + " has bits beyond its mask; the network is " + p.Masked().String()
		}
		found = append(found, p)
	}
	return found, ""
}

func checkFile(_ Setting, value string) string {
	info, err := os.Stat(value)
	switch {
	case err != nil:
		return "this process cannot read it; check the path and its permissions"
	case info.IsDir():
		return "it is a folder; give the path of a file"
	}
	return ""
}

func checkKey(_ Setting, value string) string {
	if key, err := base64.StdEncoding.DecodeString(value); err != nil || len(key) != KeyBytes {
		return "is not 32 bytes in base64; make one with: openssl rand -base64 32"
	}
	return ""
}

// A node's name is a token of NATS subjects.
func checkNode(_ Setting, value string) string {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(value) {
		return "use 1 to 64 letters, digits, - and _"
	}
	return ""
}

// The same rule as for the slugs of organizations and apps.
func checkSlug(_ Setting, value string) string {
	if err := tenant.ValidSlug(value); err != nil {
		return err.Error()
	}
	return ""
}

func checkReplicas(_ Setting, value string) string {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > maxReplicas {
		return "it must be a number from 1 to 5, at most the number of NATS servers"
	}
	return ""
}

func checkShards(_ Setting, value string) string {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > maxShards {
		return "it must be a number from 1 to 1024, and at least as many as the log has"
	}
	return ""
}

func checkURL(s Setting, value string) string {
	u, err := url.Parse(value)
	if err != nil || !slices.Contains(s.Schemes, u.Scheme) || u.Host == "" {
		return "is not a " + schemes(s) + " with a host"
	}
	return ""
}

func checkURLs(s Setting, value string) string {
	for _, part := range list(value) {
		if problem := checkURL(s, part); problem != "" {
			return problem
		}
	}
	return ""
}
