-- +goose Up

-- Few facts about the installation itself, such as the check of the master key.
CREATE TABLE settings (
    name  text  PRIMARY KEY,
    value bytea NOT NULL
);

CREATE TABLE organizations (
    slug       text COLLATE "C" PRIMARY KEY,
    shard      integer     NOT NULL CHECK (shard BETWEEN 0 AND 65535),
    created_at timestamptz NOT NULL
);

-- A person signs in with an e-mail address, kept in lower case; what the person may do stands in members.
CREATE TABLE people (
    id            text        PRIMARY KEY,
    email         text        NOT NULL UNIQUE,
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL
);

CREATE TABLE members (
    id           text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL REFERENCES organizations (slug) ON DELETE CASCADE,
    person       text             NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    role         text             NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    created_at   timestamptz      NOT NULL,
    UNIQUE (organization, person)
);
CREATE INDEX members_person ON members (person);

CREATE TABLE sessions (
    hash       bytea            PRIMARY KEY,
    member     text COLLATE "C" NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    expires_at timestamptz      NOT NULL
);
CREATE INDEX sessions_member ON sessions (member);

CREATE TABLE apps (
    organization     text COLLATE "C" NOT NULL REFERENCES organizations (slug) ON DELETE CASCADE,
    id               text COLLATE "C" NOT NULL,
    name             text             NOT NULL,
    retention_micros bigint           NOT NULL CHECK (retention_micros >= 0),
    acl_rules        text             NOT NULL DEFAULT '[]', -- JSON, in order
    acl_version      bigint           NOT NULL DEFAULT 0,
    created_at       timestamptz      NOT NULL,
    PRIMARY KEY (organization, id)
);

CREATE TABLE api_keys (
    id           text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL,
    app          text COLLATE "C" NOT NULL,
    hash         bytea            NOT NULL UNIQUE,
    scopes       text             NOT NULL, -- separated by spaces
    created_at   timestamptz      NOT NULL,
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
);
CREATE INDEX api_keys_app ON api_keys (organization, app);

CREATE TABLE signing_keys (
    kid          text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL,
    app          text COLLATE "C" NOT NULL,
    algorithm    text             NOT NULL,
    secret       bytea            NOT NULL, -- sealed under the master key
    created_at   timestamptz      NOT NULL,
    FOREIGN KEY (organization, app) REFERENCES apps (organization, id) ON DELETE CASCADE
);
CREATE INDEX signing_keys_app ON signing_keys (organization, app);
