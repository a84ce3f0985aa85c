package api

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// certificatePrefix begins the ids of authorities.
const certificatePrefix = "ca"

// ListCertificates answers a page of the authorities of an app's devices.
func (a *API) ListCertificates(
	ctx context.Context, request spec.ListCertificatesRequestObject,
) (spec.ListCertificatesResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	most, after, err := paging(request.Params.Limit, request.Params.Cursor,
		func(s string) bool { return strings.HasPrefix(s, certificatePrefix+"_") })
	if err != nil {
		return nil, err
	}
	of := app.Entry().App
	certificates, err := a.deps.Store.Certificates(ctx, of.Organization, of.ID, after, most+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(certificates, most, certificateView, func(c tenant.Certificate) string { return c.ID })
	return spec.ListCertificates200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateCertificate registers an authority of an app's devices and tells all
// nodes.
func (a *API) CreateCertificate(
	ctx context.Context, request spec.CreateCertificateRequestObject,
) (spec.CreateCertificateResponseObject, error) {
	app, err := a.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	of, body := app.Entry().App, request.Body
	c := tenant.Certificate{
		ID: tenant.NewID(certificatePrefix), Organization: of.Organization, App: of.ID,
		UserFrom: tenant.UserFrom(body.UserFrom), Role: deref(body.Role), CreatedAt: a.timestamp(),
	}
	set(&c.Tags, body.Tags)
	cert, err := tenant.ParseAuthority(body.CaPem)
	if err == nil && a.now().After(cert.NotAfter) {
		err = fault.New(fault.Invalid, "has expired")
	}
	if err := errors.Join(at(err, "/ca_pem"), checkUserTraits(c.Tags, c.Role)); err != nil {
		return nil, err
	}
	c.DER, c.Fingerprint, c.SubjectHash = cert.Raw, sha256.Sum256(cert.Raw), tenant.SubjectHash(cert.RawSubject)
	audited, entry := a.audited(ctx, of.ID, "certificate.create", c.ID)
	entry.After = jsonOf(certificateView(c))
	if err := a.deps.Store.CreateCertificate(audited, c); err != nil {
		return nil, err
	}
	a.changed(ctx, of.Organization, of.ID)
	return spec.CreateCertificate201JSONResponse(certificateView(c)), nil
}

// GetCertificate answers one authority.
func (a *API) GetCertificate(
	ctx context.Context, request spec.GetCertificateRequestObject,
) (spec.GetCertificateResponseObject, error) {
	if err := sees(callerOf(ctx), request.App); err != nil {
		return nil, err
	}
	c, err := a.deps.Store.Certificate(ctx, callerOf(ctx).Organization, request.App, request.Certificate)
	if err != nil {
		return nil, err
	}
	return spec.GetCertificate200JSONResponse(certificateView(c)), nil
}

// DeleteCertificate takes an authority away and tells all nodes.
func (a *API) DeleteCertificate(
	ctx context.Context, request spec.DeleteCertificateRequestObject,
) (spec.DeleteCertificateResponseObject, error) {
	caller := callerOf(ctx)
	if err := sees(caller, request.App); err != nil {
		return nil, err
	}
	c, err := a.deps.Store.Certificate(ctx, caller.Organization, request.App, request.Certificate)
	if err != nil {
		return nil, err
	}
	audited, entry := a.audited(ctx, c.App, "certificate.delete", c.ID)
	entry.Before = jsonOf(certificateView(c))
	if err := a.deps.Store.DeleteCertificate(audited, c.Organization, c.App, c.ID); err != nil {
		return nil, err
	}
	a.changed(ctx, caller.Organization, request.App)
	return spec.DeleteCertificate204Response{}, nil
}

func certificateView(c tenant.Certificate) spec.Certificate {
	view := spec.Certificate{
		ID: c.ID, Fingerprint: hex.EncodeToString(c.Fingerprint[:]), UserFrom: spec.UserFrom(c.UserFrom),
		Tags: tagsView(c.Tags), Role: ref(c.Role), CreatedAt: c.CreatedAt,
	}
	if cert, err := x509.ParseCertificate(c.DER); err == nil { // it was read when it was registered
		view.Subject, view.NotAfter = cut(cert.Subject.String(), 1000), cert.NotAfter.UTC().Truncate(time.Second)
	}
	return view
}
