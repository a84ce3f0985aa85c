-- +goose Up

-- A user name and a password for devices that cannot make a token.
CREATE TABLE logins (
    organization  TEXT NOT NULL,
    app           TEXT NOT NULL,
    username      TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    end_user      TEXT NOT NULL, -- who the device is
    device        TEXT NOT NULL, -- empty: any client id
    tags          TEXT NOT NULL, -- a JSON array
    role          TEXT NOT NULL,
    enabled       INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    version       INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (organization, app, username),
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
) STRICT;

-- The certificates of the authorities that sign the certificates of an app's devices. One authority belongs to one
-- app of one organization.
CREATE TABLE certificates (
    id           TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    app          TEXT NOT NULL,
    fingerprint  BLOB NOT NULL UNIQUE, -- SHA-256 of the certificate
    subject_hash BLOB NOT NULL,        -- SHA-256 of its subject: what it signs names it as issuer
    certificate  BLOB NOT NULL,        -- DER
    user_from    TEXT NOT NULL,
    tags         TEXT NOT NULL, -- a JSON array
    role         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX certificates_app ON certificates (organization, app, id);
CREATE INDEX certificates_subject ON certificates (subject_hash, created_at, id);
