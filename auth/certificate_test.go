package auth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// show connects with certificates and no password.
func show(t testing.TB, v *auth.Devices, username string, chain ...*issued) (*auth.Device, error) {
	t.Helper()
	c := auth.Credentials{ClientID: "phone-1", Username: username}
	for _, one := range chain {
		c.Certificates = append(c.Certificates, one.Certificate)
	}
	return v.Authenticate(t.Context(), c)
}

func TestCertificate(t *testing.T) {
	v, src := newDevices(t)
	root := newAuthority(t, "Acme Devices")
	register(src, "acme", "chat", root)
	leaf := root.device(t, "ana")
	for _, username := range []string{"", "acme/chat"} {
		d, err := show(t, v, username, leaf)
		if err != nil {
			t.Fatal(err)
		}
		got := d.Identity
		if got.Org != "acme" || got.App != "chat" || got.User != "ana" || got.Device != "" || got.ClientID != "phone-1" ||
			!slices.Equal(got.Tags, []string{"beta"}) || got.Role != "driver" || !got.Expires.Equal(leaf.NotAfter) {
			t.Errorf("user name %q: %+v", username, got)
		}
		if !d.MaySubscribe("acme/chat/users/ana/#") || d.MaySubscribe("acme/chat/users/bob/#") || d.Revoked() {
			t.Errorf("user name %q: the wrong grants", username)
		}
	}
}

func TestCertificateUser(t *testing.T) {
	names := func(c *x509.Certificate) {
		c.DNSNames = []string{"robot-7.devices.example"}
		c.EmailAddresses = []string{"ana@example.com"}
		c.URIs = []*url.URL{parseURL(t, "urn:device:7")}
	}
	for name, test := range map[string]struct {
		from tenant.UserFrom
		leaf func(*x509.Certificate)
		user string // empty: refused
	}{
		"common name":         {tenant.UserFromCN, names, "ana"},
		"DNS name":            {tenant.UserFromDNS, names, "robot-7.devices.example"},
		"e-mail address":      {tenant.UserFromEmail, names, "ana@example.com"},
		"URI":                 {tenant.UserFromURI, names, "urn:device:7"},
		"no DNS name":         {tenant.UserFromDNS, func(*x509.Certificate) {}, ""},
		"no e-mail address":   {tenant.UserFromEmail, func(*x509.Certificate) {}, ""},
		"no URI":              {tenant.UserFromURI, func(*x509.Certificate) {}, ""},
		"no common name":      {tenant.UserFromCN, func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"ana"}} }, ""},
		"two common names":    {tenant.UserFromCN, twoNames, ""},
		"two DNS names":       {tenant.UserFromDNS, func(c *x509.Certificate) { c.DNSNames = []string{"a.example", "b.example"} }, ""},
		"URI with slashes":    {tenant.UserFromURI, func(c *x509.Certificate) { c.URIs = []*url.URL{parseURL(t, "spiffe://a/b")} }, ""},
		"name with a slash":   {tenant.UserFromCN, func(c *x509.Certificate) { c.Subject.CommonName = "a/b" }, ""},
		"name with a plus":    {tenant.UserFromCN, func(c *x509.Certificate) { c.Subject.CommonName = "+" }, ""},
		"name with a hash":    {tenant.UserFromCN, func(c *x509.Certificate) { c.Subject.CommonName = "#" }, ""},
		"name with NUL":       {tenant.UserFromCN, func(c *x509.Certificate) { c.Subject.CommonName = "ana\x00" }, ""},
		"name with a dollar":  {tenant.UserFromCN, func(c *x509.Certificate) { c.Subject.CommonName = "$SYS" }, ""},
		"name that is long":   {tenant.UserFromCN, func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("a", 129) }, ""},
		"wildcard DNS name":   {tenant.UserFromDNS, func(c *x509.Certificate) { c.DNSNames = []string{"*.example"} }, "*.example"},
		"unknown part":        {"serial", names, ""},
		"name of another one": {tenant.UserFromCN, func(c *x509.Certificate) { c.Subject.CommonName = "Ana" }, "Ana"},
	} {
		t.Run(name, func(t *testing.T) {
			v, src := newDevices(t)
			root := newAuthority(t, "Acme Devices")
			register(src, "acme", "chat", root, func(c *tenant.Certificate) { c.UserFrom = test.from })
			d, err := show(t, v, "", root.device(t, "ana", test.leaf))
			switch {
			case test.user == "":
				wantFault(t, err, fault.Unauthenticated)
			case err != nil:
				t.Error(err)
			case d.User != test.user:
				t.Errorf("got %q, want %q", d.User, test.user)
			}
		})
	}
}

// The chain may have authorities between, and the connection ends with the
// first certificate of it.
func TestCertificateChain(t *testing.T) {
	v, src := newDevices(t)
	root := newAuthority(t, "Acme Root")
	register(src, "acme", "chat", root)
	between := sign(t, root, template("Acme Factory", asAuthority, func(c *x509.Certificate) { c.NotAfter = noon.Add(time.Hour) }), newKey(t))
	deeper := between.authority(t, "Acme Line 7")
	for _, chain := range [][]*issued{
		{between.device(t, "ana"), between},
		{between.device(t, "ana"), between, root}, // some clients show it all
		{deeper.device(t, "ana"), between, deeper},
		{deeper.device(t, "ana"), deeper, between, root},
	} {
		for _, username := range []string{"", "acme/chat"} {
			d, err := show(t, v, username, chain...)
			if err != nil {
				t.Errorf("user name %q, %d certificates: %v", username, len(chain), err)
				continue
			}
			if d.User != "ana" || !d.Expires.Equal(noon.Add(time.Hour)) {
				t.Errorf("got %+v", d.Identity)
			}
		}
	}
	for name, chain := range map[string][]*issued{
		"the one between is missing":      {between.device(t, "ana")},
		"one of two between is missing":   {deeper.device(t, "ana"), deeper},
		"too many":                        {deeper.device(t, "ana"), deeper, between, root, root},
		"the device's is not the first":   {between, between.device(t, "ana")},
		"the authority itself":            {root},
		"a device's signs":                {sign(t, between.device(t, "ana"), template("bob"), newKey(t)), between.device(t, "ana"), between},
		"one of another's name between":   {between.device(t, "ana"), root.authority(t, "Acme Factory")},
		"one of another's making between": {between.device(t, "ana"), newAuthority(t, "Acme Factory")},
	} {
		for _, username := range []string{"", "acme/chat"} {
			d, err := show(t, v, username, chain...)
			wantFault(t, err, fault.Unauthenticated)
			if d != nil {
				t.Errorf("%s: let in as %+v", name, d.Identity)
			}
		}
	}
}

func TestCertificateAttacks(t *testing.T) {
	v, src := newDevices(t)
	ours, theirs := newAuthority(t, "Devices"), newAuthority(t, "Devices") // of the same name
	stranger := newAuthority(t, "Devices")
	register(src, "acme", "chat", ours)
	register(src, "globex", "chat", theirs)
	old := sign(t, nil, template("Old", asAuthority, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) }), newKey(t))
	register(src, "acme", "chat", old)
	narrow := newAuthority(t, "Narrow", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"acme.example"} })
	register(src, "acme", "chat", narrow)
	good := ours.device(t, "ana")
	if d, err := show(t, v, "", good); err != nil || d.Org != "acme" {
		t.Fatalf("got %+v, %v", d, err)
	}
	if d, err := show(t, v, "", theirs.device(t, "ana")); err != nil || d.Org != "globex" {
		t.Fatalf("got %+v, %v", d, err)
	}
	expired := func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }
	early := func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) }
	server := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	critical := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	}
	for name, a := range map[string]struct {
		username string
		chain    []*issued
	}{
		"another authority of the same name":    {"", []*issued{stranger.device(t, "ana")}},
		"the same, to our app":                  {"acme/chat", []*issued{stranger.device(t, "ana")}},
		"the same, shown":                       {"", []*issued{stranger.device(t, "ana"), stranger}},
		"the right authority only shown":        {"", []*issued{stranger.device(t, "ana"), ours}},
		"another organization's authority":      {"acme/chat", []*issued{theirs.device(t, "ana")}},
		"ours at another organization":          {"globex/chat", []*issued{good}},
		"ours at another app":                   {"acme/shop", []*issued{good}},
		"unknown app":                           {"acme/nope", []*issued{good}},
		"unknown organization":                  {"nope/chat", []*issued{good}},
		"a login's user name":                   {"acme/chat/ana", []*issued{good}},
		"half a user name":                      {"acme", []*issued{good}},
		"a wildcard":                            {"acme/+", []*issued{good}},
		"self-signed":                           {"", []*issued{sign(t, nil, template("ana"), newKey(t))}},
		"self-signed, to our app":               {"acme/chat", []*issued{sign(t, nil, template("ana"), newKey(t))}},
		"unknown issuer":                        {"", []*issued{newAuthority(t, "Nobody").device(t, "ana")}},
		"expired":                               {"", []*issued{ours.device(t, "ana", expired)}},
		"expired, to our app":                   {"acme/chat", []*issued{ours.device(t, "ana", expired)}},
		"not valid yet":                         {"acme/chat", []*issued{ours.device(t, "ana", early)}},
		"the authority has expired":             {"", []*issued{old.device(t, "ana")}},
		"the authority has expired, to our app": {"acme/chat", []*issued{old.device(t, "ana")}},
		"a server's":                            {"", []*issued{ours.device(t, "ana", server)}},
		"an unknown demand":                     {"acme/chat", []*issued{ours.device(t, "ana", critical)}},
		"beyond the name's limits":              {"acme/chat", []*issued{narrow.device(t, "ana", func(c *x509.Certificate) { c.DNSNames = []string{"globex.example"} })}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := show(t, v, a.username, a.chain...)
			wantFault(t, err, fault.Unauthenticated)
			if d != nil {
				t.Errorf("let in as %+v", d.Identity)
			}
		})
	}
	for name, change := range map[string]func(*x509.Certificate){
		"no extended key usage": func(c *x509.Certificate) { c.ExtKeyUsage = nil },
		"any of them":           func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} },
		"both":                  func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) },
	} {
		if _, err := show(t, v, "", ours.device(t, "ana", change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever registers our authority's name and key in a certificate of their own
// making gets none of our devices and is not in their way.
func TestCrossSignedAuthority(t *testing.T) {
	v, src := newDevices(t)
	ours := newAuthority(t, "Devices")
	register(src, "acme", "chat", ours)
	evil := newAuthority(t, "Evil")
	claimed := sign(t, evil, template("Devices", asAuthority), ours.key) // our name and key, signed by them
	register(src, "globex", "chat", claimed)
	leaf := ours.device(t, "ana")
	for _, chain := range [][]*issued{{leaf}, {leaf, ours}} {
		d, err := show(t, v, "", chain...)
		if err != nil || d.Org != "acme" {
			t.Errorf("got %+v, %v", d, err)
		}
	}
	// An authority below another one serves who names the app, or shows it.
	d, err := show(t, v, "globex/chat", leaf)
	if err != nil || d.Org != "globex" {
		t.Errorf("got %+v, %v", d, err)
	}
	below := evil.authority(t, "Below")
	register(src, "globex", "chat", below)
	v = auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon)
	leaf = below.device(t, "ana")
	_, err = show(t, v, "", leaf)
	wantFault(t, err, fault.Unauthenticated)
	for username, chain := range map[string][]*issued{"globex/chat": {leaf}, "": {leaf, below}} {
		if d, err := show(t, v, username, chain...); err != nil || d.Org != "globex" {
			t.Errorf("user name %q: %+v, %v", username, d, err)
		}
	}
}

// An authority that was renewed with its key is two certificates. In one app
// they are one authority; in two, who shows none of them has to name the app.
func TestRenewedAuthority(t *testing.T) {
	v, src := newDevices(t)
	first := newAuthority(t, "Devices")
	renew := func() *issued { return sign(t, nil, template("Devices", asAuthority), first.key) }
	second, third := renew(), renew()
	register(src, "acme", "chat", first, func(c *tenant.Certificate) { c.Role = "old" })
	register(src, "acme", "chat", second, func(c *tenant.Certificate) { c.Role = "new" })
	leaf := first.device(t, "ana")
	for _, username := range []string{"", "acme/chat"} {
		if d, err := show(t, v, username, leaf); err != nil || d.Identity.App != "chat" {
			t.Errorf("user name %q: %+v, %v", username, d, err)
		}
	}
	w := auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon)
	register(src, "acme", "shop", third)
	_, err := show(t, w, "", leaf)
	wantFault(t, err, fault.Unauthenticated)
	if !strings.Contains(err.Error(), "more than one app") {
		t.Errorf("says %v", err)
	}
	for username, chain := range map[string][]*issued{"acme/shop": {leaf}, "": {leaf, third}} {
		if d, err := show(t, w, username, chain...); err != nil || d.Identity.App != "shop" {
			t.Errorf("user name %q: %+v, %v", username, d, err)
		}
	}
}

// A certificate beside a password counts for nothing: the password decides.
func TestPasswordBeforeCertificate(t *testing.T) {
	v, src := newDevices(t)
	root := newAuthority(t, "Devices")
	register(src, "acme", "chat", root)
	chain := []*x509.Certificate{root.device(t, "bob").Certificate}
	for password, user := range map[string]string{token{}.text(t): "ana", "wrong": ""} {
		d, err := v.Authenticate(t.Context(), auth.Credentials{ClientID: "x", Password: []byte(password), Certificates: chain})
		if user == "" {
			wantFault(t, err, fault.Unauthenticated)
		} else if err != nil || d.User != user {
			t.Errorf("got %+v, %v", d, err)
		}
	}
}

func TestRevokedAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(entry("acme", "chat"))
		dir := auth.NewDirectory(src, time.Now)
		v := auth.NewDevices(dir, time.Now)
		year := func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		}
		root := newAuthority(t, "Devices", year)
		leaf := root.device(t, "ana", year)
		_, err := show(t, v, "", leaf)
		wantFault(t, err, fault.Unauthenticated)

		register(src, "acme", "chat", root)
		dir.Invalidate("acme", "chat")
		if _, err := show(t, v, "acme/chat", leaf); err != nil {
			t.Errorf("with a user name it works at once: %v", err)
		}
		time.Sleep(5 * time.Second) // that nobody has this name is believed so long
		d, err := show(t, v, "", leaf)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		src.fail(errAway)
		if _, err := show(t, v, "", leaf); err != nil {
			t.Errorf("while the source is away: %v", err)
		}
		src.fail(nil)

		unregister(src, "acme", "chat")
		dir.Invalidate("acme", "chat")
		synctest.Wait()
		if !d.Revoked() {
			t.Error("a connected device does not see it")
		}
		for _, username := range []string{"", "acme/chat"} {
			_, err := show(t, v, username, leaf)
			wantFault(t, err, fault.Unauthenticated)
		}
	})
}

// A token's device sees that its signing key is gone.
func TestRevokedSigningKey(t *testing.T) {
	src := newSource(entry("acme", "chat"))
	dir := auth.NewDirectory(src, atNoon)
	d, err := connect(t, auth.NewDevices(dir, atNoon), "", token{}.text(t))
	if err != nil || d.Revoked() {
		t.Fatal(err)
	}
	e := entry("acme", "chat")
	e.SigningKeys = nil
	src.set(e)
	dir.Invalidate("acme", "chat")
	lookUp(t, dir, "acme", "chat") // waits for the change
	if !d.Revoked() {
		t.Error("it does not")
	}
}

func BenchmarkCertificate(b *testing.B) {
	v, src := newDevices(b)
	root := newAuthority(b, "Devices")
	register(src, "acme", "chat", root)
	leaf := root.device(b, "ana")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := show(b, v, "", leaf); err != nil {
			b.Fatal(err)
		}
	}
}
