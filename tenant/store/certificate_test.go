package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
	"github.com/fanfare-mq/fanfare/tenant/store"
)

// newCertificate returns an authority of acme/chat, not yet stored, made of
// any text.
func newCertificate(text, subject string) tenant.Certificate {
	return tenant.Certificate{
		ID: tenant.NewID("ca"), Organization: "acme", App: "chat", DER: []byte(text),
		Fingerprint: sha256.Sum256([]byte(text)), SubjectHash: sha256.Sum256([]byte(subject)),
		UserFrom: tenant.UserFromDNS, Tags: []string{"beta"}, Role: "driver", CreatedAt: now,
	}
}

func testCertificate(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "globex", "chat")
	want := newCertificate("one", "CN=one")
	must(t, s.CreateCertificate(t.Context(), want))
	got, err := s.Certificate(t.Context(), "acme", "chat", want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	// It belongs to one app, whoever asks.
	again := want
	again.ID, again.Organization = tenant.NewID("ca"), "globex"
	err = s.CreateCertificate(t.Context(), again)
	wantCode(t, err, fault.Conflict)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Field != "/ca_pem" {
		t.Errorf("got %+v, want it at /ca_pem", f)
	}
	lost := newCertificate("lost", "CN=lost")
	lost.App = "nothing"
	wantCode(t, s.CreateCertificate(t.Context(), lost), fault.NotFound)
	_, err = s.Certificate(t.Context(), "globex", "chat", want.ID)
	wantCode(t, err, fault.NotFound)
	wantCode(t, s.DeleteCertificate(t.Context(), "globex", "chat", want.ID), fault.NotFound)

	must(t, s.CreateCertificate(t.Context(), newCertificate("two", "CN=two")))
	first, err := s.Certificates(t.Context(), "acme", "chat", "", 1)
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	rest, err := s.Certificates(t.Context(), "acme", "chat", first[0].ID, 2)
	if err != nil || len(rest) != 1 || rest[0].ID <= first[0].ID {
		t.Errorf("got %+v, %v", rest, err)
	}
	if none, err := s.Certificates(t.Context(), "globex", "chat", "", 9); err != nil || none == nil || len(none) != 0 {
		t.Errorf("got %v, %v; want an empty page", none, err)
	}
	must(t, s.DeleteCertificate(t.Context(), "acme", "chat", want.ID))
	_, err = s.Certificate(t.Context(), "acme", "chat", want.ID)
	wantCode(t, err, fault.NotFound)
	must(t, s.CreateCertificate(t.Context(), again)) // it is free again
}

// The oldest come first, whoever has them, and not too many.
func testCertificatesBySubject(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	signUp(t, s, "globex")
	addApp(t, s, "globex", "chat")
	for i := range 5 { // of 16 each
		addApp(t, s, "acme", fmt.Sprintf("app%d", i))
		for j := range tenant.MaxCertificates {
			c := newCertificate(fmt.Sprint(i, j), "CN=popular")
			c.App = fmt.Sprintf("app%d", i)
			must(t, s.CreateCertificate(t.Context(), c))
		}
	}
	oldest := newCertificate("oldest", "CN=popular")
	oldest.Organization, oldest.CreatedAt = "globex", now.Add(-time.Hour)
	must(t, s.CreateCertificate(t.Context(), oldest))
	got, err := s.CertificatesBySubject(t.Context(), oldest.SubjectHash)
	if err != nil || len(got) != 64 || !reflect.DeepEqual(got[0], oldest) {
		t.Errorf("got %d, %v", len(got), err)
	}
	_, err = s.CertificatesBySubject(t.Context(), sha256.Sum256([]byte("CN=nobody")))
	wantCode(t, err, fault.NotFound)
}

func testCertificateQuota(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	for i := range tenant.MaxCertificates {
		must(t, s.CreateCertificate(t.Context(), newCertificate(fmt.Sprint(i), "CN=a")))
	}
	wantCode(t, s.CreateCertificate(t.Context(), newCertificate("one more", "CN=a")), fault.QuotaExceeded)
	kept, err := s.Certificates(t.Context(), "acme", "chat", "", 100)
	if err != nil || len(kept) != tenant.MaxCertificates {
		t.Errorf("%d are kept, %v", len(kept), err)
	}
}

func testEntryCertificates(t *testing.T, cfg store.Config) {
	s := open(t, cfg)
	signUp(t, s, "acme")
	addApp(t, s, "acme", "chat")
	addApp(t, s, "acme", "shop")
	var want []tenant.Certificate
	for i := range 3 {
		c := newCertificate(fmt.Sprint(i), "CN=a")
		c.ID = fmt.Sprintf("ca_%d", i)
		must(t, s.CreateCertificate(t.Context(), c))
		want = append(want, c)
	}
	other := newCertificate("other", "CN=a")
	other.App = "shop"
	must(t, s.CreateCertificate(t.Context(), other))
	slices.Reverse(want)
	got, err := s.Entry(t.Context(), "acme", "chat")
	if err != nil || !reflect.DeepEqual(got.Certificates, want) || len(got.SigningKeys) != 1 {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
