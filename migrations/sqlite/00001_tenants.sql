-- +goose Up
-- Times are microseconds since 1970 in UTC.

-- Few facts about the installation itself, such as the check of the master key.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE organizations (
    slug       TEXT    PRIMARY KEY,
    shard      INTEGER NOT NULL CHECK (shard BETWEEN 0 AND 65535),
    created_at INTEGER NOT NULL
) STRICT;

-- A person signs in with an e-mail address, kept in lower case; what the person may do stands in members.
CREATE TABLE people (
    id            TEXT    PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
    id           TEXT    PRIMARY KEY,
    organization TEXT    NOT NULL REFERENCES organizations (slug) ON DELETE CASCADE,
    person       TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    role         TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    created_at   INTEGER NOT NULL,
    UNIQUE (organization, person)
) STRICT;
CREATE INDEX members_person ON members (person);

CREATE TABLE sessions (
    hash       BLOB    PRIMARY KEY,
    member     TEXT    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_member ON sessions (member);

CREATE TABLE apps (
    organization     TEXT    NOT NULL REFERENCES organizations (slug) ON DELETE CASCADE,
    id               TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    retention_micros INTEGER NOT NULL CHECK (retention_micros >= 0),
    acl_rules        TEXT    NOT NULL DEFAULT '[]', -- JSON, in order
    acl_version      INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    PRIMARY KEY (organization, id)
) STRICT;

CREATE TABLE api_keys (
    id           TEXT    PRIMARY KEY,
    organization TEXT    NOT NULL,
    app          TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    scopes       TEXT    NOT NULL, -- separated by spaces
    created_at   INTEGER NOT NULL,
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX api_keys_app ON api_keys (organization, app);

CREATE TABLE signing_keys (
    kid          TEXT    PRIMARY KEY,
    organization TEXT    NOT NULL,
    app          TEXT    NOT NULL,
    algorithm    TEXT    NOT NULL,
    secret       BLOB    NOT NULL, -- sealed under the master key
    created_at   INTEGER NOT NULL,
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX signing_keys_app ON signing_keys (organization, app);
