-- +goose Up

-- What an organization of a plan may use, as JSON; the operator edits them. Organizations name their plan without a
-- reference, so that both databases can add the column to rows that are there.
CREATE TABLE plans (
    name       TEXT PRIMARY KEY,
    limits     TEXT NOT NULL,
    version    INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO plans (name, limits, created_at) VALUES ('default', '{}', 0);

ALTER TABLE organizations ADD COLUMN plan TEXT NOT NULL DEFAULT 'default';
-- What the operator has decided for this organization alone, as JSON, in place of the plan's.
ALTER TABLE organizations ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
ALTER TABLE organizations ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE organizations ADD COLUMN suspended_at INTEGER;
ALTER TABLE organizations ADD COLUMN suspended_for TEXT NOT NULL DEFAULT ''; -- the reason, for its members
-- Set once an organization is being deleted: it is as good as gone, and its row goes when all it had was erased.
ALTER TABLE organizations ADD COLUMN deleted_at INTEGER;
CREATE INDEX organizations_plan ON organizations (plan);

-- What is gone for everybody and has to be erased where else it is kept: an app, or with an empty one the organization
-- itself, whose row goes last. The name is taken until then.
CREATE TABLE erasures (
    organization  TEXT NOT NULL REFERENCES organizations (slug) ON DELETE CASCADE,
    app           TEXT NOT NULL,
    deleted_at    INTEGER NOT NULL,
    claimed_until INTEGER, -- one worker at a time
    PRIMARY KEY (organization, app)
) STRICT;
CREATE INDEX erasures_deleted_at ON erasures (deleted_at);

ALTER TABLE api_keys ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN addresses TEXT NOT NULL DEFAULT '[]'; -- a JSON array of networks; empty: from anywhere
ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;
ALTER TABLE api_keys ADD COLUMN last_used_from TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN replaced_by TEXT NOT NULL DEFAULT ''; -- the key that a rotation has put in its place
-- A key of the operator's organization may be one that reads or publishes across organizations.
ALTER TABLE api_keys ADD COLUMN across INTEGER NOT NULL DEFAULT 0 CHECK (across IN (0, 1));
ALTER TABLE api_keys ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- A super-client: a device of the operator's organization that is above the wall.
ALTER TABLE logins ADD COLUMN super INTEGER NOT NULL DEFAULT 0 CHECK (super IN (0, 1));

ALTER TABLE signing_keys ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE signing_keys ADD COLUMN public_key BLOB; -- DER, SubjectPublicKeyInfo; the secret is empty then
ALTER TABLE signing_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE signing_keys ADD COLUMN last_used_at INTEGER;
ALTER TABLE signing_keys ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN replaced_by TEXT NOT NULL DEFAULT '';

-- Where an app's issuer publishes its keys (RFC 7517 §5), with the last answer: it serves while the address does not.
CREATE TABLE key_sets (
    id           TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    app          TEXT NOT NULL,
    name         TEXT NOT NULL,
    url          TEXT NOT NULL,
    document     TEXT NOT NULL DEFAULT '', -- the last good answer
    fetched_at   INTEGER,
    failed_at    INTEGER,
    failure      TEXT NOT NULL DEFAULT '',
    due_at       INTEGER NOT NULL, -- when to ask the address again
    last_used_at INTEGER,
    created_at   INTEGER NOT NULL,
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX key_sets_app ON key_sets (organization, app, id);
CREATE INDEX key_sets_due ON key_sets (due_at);

-- What of an app's tokens is worth nothing any more, although it has not expired.
CREATE TABLE revocations (
    organization  TEXT NOT NULL,
    app           TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('token', 'device', 'user')),
    subject       TEXT NOT NULL, -- the jti, the device's or the user's id
    issued_before INTEGER,               -- only what was issued before; not of tokens
    expires_at    INTEGER NOT NULL,      -- when no token can be left that it is about
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (organization, app, kind, subject),
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX revocations_expired ON revocations (expires_at);

-- What the caches of all nodes have to read again: nodes look here every few seconds, whatever else they have been told.
-- Rows go after some minutes. An empty subject is the organization itself; there is no reference, for what is gone too.
CREATE TABLE changes (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    organization TEXT NOT NULL,
    subject      TEXT NOT NULL,
    changed_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX changes_changed_at ON changes (changed_at);

-- Sessions have an id from now on. Those from before, of a day at most, end: their people sign in again.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN created_at INTEGER;
ALTER TABLE sessions ADD COLUMN confirmed_at INTEGER; -- when the password was last given
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';

CREATE TABLE invitations (
    id           TEXT PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organizations (slug) ON DELETE CASCADE,
    email        TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    hash         BLOB NOT NULL UNIQUE, -- SHA-256 of the link's secret
    invited_by   TEXT NOT NULL,        -- who, for people
    expires_at   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (organization, email)
) STRICT;

CREATE TABLE password_resets (
    hash       BLOB PRIMARY KEY, -- SHA-256 of the link's secret
    person     TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX password_resets_person ON password_resets (person);

-- Who changed what, when and from where. An empty organization is the installation itself.
CREATE TABLE audit (
    id           TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    app          TEXT NOT NULL,
    actor_kind   TEXT NOT NULL,
    actor        TEXT NOT NULL,
    actor_name   TEXT NOT NULL,
    address      TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    action       TEXT NOT NULL,
    target       TEXT NOT NULL,
    before       TEXT NOT NULL, -- JSON, or empty
    after        TEXT NOT NULL, -- JSON, or empty
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_organization ON audit (organization, id);
CREATE INDEX audit_created_at ON audit (created_at);
