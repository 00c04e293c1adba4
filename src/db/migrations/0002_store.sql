-- The store's upkeep, versions that come and go, and mounts for people.

-- == Versions and projects

ALTER TABLE volume ADD COLUMN retention TEXT NOT NULL DEFAULT '{}';  -- JSON Retention: which versions may go.

-- == Datastores

ALTER TABLE datastore ADD COLUMN repository TEXT NOT NULL DEFAULT '';            -- hugging_face: "org/name"
ALTER TABLE datastore ADD COLUMN repository_type TEXT NOT NULL DEFAULT 'model';  -- model, dataset, space
ALTER TABLE datastore ADD COLUMN revision TEXT NOT NULL DEFAULT '';

-- == Upkeep of the store

-- What upkeep remembers between two runs: where the scrub stands, when the last check was and whether it was clean.
CREATE TABLE store_note (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL                          -- JSON
);

-- == Mounts and the cache

-- A version that stands at a path of this machine for a person, until it is unmounted.
CREATE TABLE mount (
  id TEXT PRIMARY KEY,                         -- Also the holder of its lease (holder_kind 'mount').
  tenant TEXT NOT NULL REFERENCES tenant (id),
  project TEXT NOT NULL REFERENCES project (id),
  volume TEXT NOT NULL REFERENCES volume (id),
  version BIGINT NOT NULL,                     -- Shown; 0: the empty volume.
  path TEXT NOT NULL,                          -- Absolute.
  access TEXT NOT NULL,                        -- ro, rw
  state TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX mount_volume ON mount (volume);
