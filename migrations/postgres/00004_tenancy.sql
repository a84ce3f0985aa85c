-- +goose Up

-- What an organization of a plan may use, as JSON; the operator edits them. Organizations name their plan without a
-- reference, so that both databases can add the column to rows that are there.
CREATE TABLE plans (
    name       text COLLATE "C" PRIMARY KEY,
    limits     text        NOT NULL,
    version    bigint      NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
);
INSERT INTO plans (name, limits, created_at) VALUES ('default', '{}', now());

ALTER TABLE organizations ADD COLUMN plan text COLLATE "C" NOT NULL DEFAULT 'default';
-- What the operator has decided for this organization alone, as JSON, in place of the plan's.
ALTER TABLE organizations ADD COLUMN limits text NOT NULL DEFAULT '{}';
ALTER TABLE organizations ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE organizations ADD COLUMN suspended_at timestamptz;
ALTER TABLE organizations ADD COLUMN suspended_for text NOT NULL DEFAULT ''; -- the reason, for its members
-- Set once an organization is being deleted: it is as good as gone, and its row goes when all it had was erased.
ALTER TABLE organizations ADD COLUMN deleted_at timestamptz;
CREATE INDEX organizations_plan ON organizations (plan);

-- What is gone for everybody and has to be erased where else it is kept: an app, or with an empty one the organization
-- itself, whose row goes last. The name is taken until then.
CREATE TABLE erasures (
    organization  text COLLATE "C" NOT NULL REFERENCES organizations (slug) ON DELETE CASCADE,
    app           text COLLATE "C" NOT NULL,
    deleted_at    timestamptz      NOT NULL,
    claimed_until timestamptz, -- one worker at a time
    PRIMARY KEY (organization, app)
);
CREATE INDEX erasures_deleted_at ON erasures (deleted_at);

ALTER TABLE api_keys ADD COLUMN name text NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN addresses text NOT NULL DEFAULT '[]'; -- a JSON array of networks; empty: from anywhere
ALTER TABLE api_keys ADD COLUMN expires_at timestamptz;
ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;
ALTER TABLE api_keys ADD COLUMN last_used_from text NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN replaced_by text NOT NULL DEFAULT ''; -- the key that a rotation has put in its place
-- A key of the operator's organization may be one that reads or publishes across organizations.
ALTER TABLE api_keys ADD COLUMN across smallint NOT NULL DEFAULT 0 CHECK (across IN (0, 1));
ALTER TABLE api_keys ADD COLUMN version bigint NOT NULL DEFAULT 0;

-- A super-client: a device of the operator's organization that is above the wall.
ALTER TABLE logins ADD COLUMN super smallint NOT NULL DEFAULT 0 CHECK (super IN (0, 1));

ALTER TABLE signing_keys ADD COLUMN name text NOT NULL DEFAULT '';
ALTER TABLE signing_keys ADD COLUMN public_key bytea; -- DER, SubjectPublicKeyInfo; the secret is empty then
ALTER TABLE signing_keys ADD COLUMN expires_at timestamptz;
ALTER TABLE signing_keys ADD COLUMN last_used_at timestamptz;
ALTER TABLE signing_keys ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN replaced_by text NOT NULL DEFAULT '';

-- Where an app's issuer publishes its keys (RFC 7517 §5), with the last answer: it serves while the address does not.
CREATE TABLE key_sets (
    id           text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL,
    app          text COLLATE "C" NOT NULL,
    name         text             NOT NULL,
    url          text             NOT NULL,
    document     text             NOT NULL DEFAULT '', -- the last good answer
    fetched_at   timestamptz,
    failed_at    timestamptz,
    failure      text             NOT NULL DEFAULT '',
    due_at       timestamptz NOT NULL, -- when to ask the address again
    last_used_at timestamptz,
    created_at   timestamptz      NOT NULL,
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
);
CREATE INDEX key_sets_app ON key_sets (organization, app, id);
CREATE INDEX key_sets_due ON key_sets (due_at);

-- What of an app's tokens is worth nothing any more, although it has not expired.
CREATE TABLE revocations (
    organization  text COLLATE "C" NOT NULL,
    app           text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL CHECK (kind IN ('token', 'device', 'user')),
    subject       text COLLATE "C" NOT NULL, -- the jti, the device's or the user's id
    issued_before timestamptz,               -- only what was issued before; not of tokens
    expires_at    timestamptz      NOT NULL, -- when no token can be left that it is about
    created_at    timestamptz      NOT NULL,
    PRIMARY KEY (organization, app, kind, subject),
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
);
CREATE INDEX revocations_expired ON revocations (expires_at);

-- What the caches of all nodes have to read again: nodes look here every few seconds, whatever else they have been told.
-- Rows go after some minutes. An empty subject is the organization itself; there is no reference, for what is gone too.
CREATE TABLE changes (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization text COLLATE "C" NOT NULL,
    subject      text             NOT NULL,
    changed_at   timestamptz      NOT NULL
);
CREATE INDEX changes_changed_at ON changes (changed_at);

-- Sessions have an id from now on. Those from before, of a day at most, end: their people sign in again.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN created_at timestamptz;
ALTER TABLE sessions ADD COLUMN confirmed_at timestamptz; -- when the password was last given
ALTER TABLE sessions ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent text NOT NULL DEFAULT '';

CREATE TABLE invitations (
    id           text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL REFERENCES organizations (slug) ON DELETE CASCADE,
    email        text             NOT NULL,
    role         text             NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    hash         bytea            NOT NULL UNIQUE, -- SHA-256 of the link's secret
    invited_by   text             NOT NULL,        -- who, for people
    expires_at   timestamptz      NOT NULL,
    created_at   timestamptz      NOT NULL,
    UNIQUE (organization, email)
);

CREATE TABLE password_resets (
    hash       bytea       PRIMARY KEY, -- SHA-256 of the link's secret
    person     text        NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX password_resets_person ON password_resets (person);

-- Who changed what, when and from where. An empty organization is the installation itself.
CREATE TABLE audit (
    id           text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL,
    app          text COLLATE "C" NOT NULL,
    actor_kind   text             NOT NULL,
    actor        text             NOT NULL,
    actor_name   text             NOT NULL,
    address      text             NOT NULL,
    request_id   text             NOT NULL,
    action       text             NOT NULL,
    target       text             NOT NULL,
    before       text             NOT NULL, -- JSON, or empty
    after        text             NOT NULL, -- JSON, or empty
    created_at   timestamptz      NOT NULL
);
CREATE INDEX audit_organization ON audit (organization, id);
CREATE INDEX audit_created_at ON audit (created_at);
