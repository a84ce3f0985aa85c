-- +goose Up

-- What an app's owner decides about its devices, as JSON; durations are nanoseconds. Apps that were there before have
-- the settings of a new one. The version grows with every change of the name or the settings.
ALTER TABLE apps ADD COLUMN settings text NOT NULL DEFAULT '{"session_expiry":604800000000000,"max_retained":100000}';
ALTER TABLE apps ADD COLUMN version bigint NOT NULL DEFAULT 0;
