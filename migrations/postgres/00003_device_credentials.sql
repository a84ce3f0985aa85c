-- +goose Up

-- A user name and a password for devices that cannot make a token.
CREATE TABLE logins (
    organization  text COLLATE "C" NOT NULL,
    app           text COLLATE "C" NOT NULL,
    username      text COLLATE "C" NOT NULL,
    password_hash text             NOT NULL,
    end_user      text             NOT NULL, -- who the device is
    device        text             NOT NULL, -- empty: any client id
    tags          text             NOT NULL, -- a JSON array
    role          text             NOT NULL,
    enabled       smallint         NOT NULL CHECK (enabled IN (0, 1)),
    version       bigint           NOT NULL DEFAULT 0,
    created_at    timestamptz      NOT NULL,
    PRIMARY KEY (organization, app, username),
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
);

-- The certificates of the authorities that sign the certificates of an app's devices. One authority belongs to one
-- app of one organization.
CREATE TABLE certificates (
    id           text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL,
    app          text COLLATE "C" NOT NULL,
    fingerprint  bytea            NOT NULL UNIQUE, -- SHA-256 of the certificate
    subject_hash bytea            NOT NULL,        -- SHA-256 of its subject: what it signs names it as issuer
    certificate  bytea            NOT NULL,        -- DER
    user_from    text             NOT NULL,
    tags         text             NOT NULL, -- a JSON array
    role         text             NOT NULL,
    created_at   timestamptz      NOT NULL,
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
);
CREATE INDEX certificates_app ON certificates (organization, app, id);
CREATE INDEX certificates_subject ON certificates (subject_hash, created_at, id);
