-- The store's upkeep, versions that come and go, and mounts for people.

-- == Versions and projects

ALTER TABLE volume ADD COLUMN retention TEXT NOT NULL DEFAULT '{}';  -- JSON Retention: which versions may go.
ALTER TABLE transfer ADD COLUMN left_out TEXT NOT NULL DEFAULT '[]';  -- JSON list: a snapshot's paths that no version can hold.

-- A transfer or job makes at most one version of a volume; any number may be cloned or restored from one version.
DROP INDEX version_origin;
CREATE UNIQUE INDEX version_origin ON version (volume, origin_id)
  WHERE origin_id <> '' AND origin NOT IN ('clone', 'restore');

-- Who waits to become a volume's writer; the one that asked first is next.
CREATE TABLE lease_wait (
  volume TEXT NOT NULL REFERENCES volume (id),
  holder_kind TEXT NOT NULL,                   -- job, transfer
  holder TEXT NOT NULL,
  asked_at BIGINT NOT NULL,
  give_up_at BIGINT NOT NULL,
  PRIMARY KEY (volume, holder_kind, holder)
);
CREATE INDEX lease_wait_holder ON lease_wait (holder_kind, holder);

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

-- What nothing refers to: seen once, it waits for its second mark.
CREATE TABLE sweep_candidate (
  kind TEXT NOT NULL,                          -- blob, tree
  digest TEXT NOT NULL,
  first_marked_at BIGINT NOT NULL,
  PRIMARY KEY (kind, digest)
);

-- What lies in the store's quarantine, until it is deleted. The same object may have been written anew meanwhile.
CREATE TABLE quarantined (
  kind TEXT NOT NULL,                          -- blob, tree
  digest TEXT NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (kind, digest)
);

-- What is known to be damaged or missing, until it is repaired or found whole.
CREATE TABLE damage (
  kind TEXT NOT NULL,                          -- blob, tree, database
  digest TEXT NOT NULL,                        -- "" for the database.
  found_by TEXT NOT NULL,                      -- scrub, check
  what TEXT NOT NULL,
  found_at BIGINT NOT NULL,
  PRIMARY KEY (kind, digest, found_by)
);

-- Where the bytes of a blob came from (repair), and which rows a swept one makes worthless.
CREATE INDEX seen_object_digest ON seen_object (digest);

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
  kind TEXT NOT NULL,                          -- path: for the whole machine; shell: for one command and its children
  state TEXT NOT NULL,                         -- asked, mounted, unmounting, left
  note TEXT NOT NULL,                          -- Why it was left; "".
  message TEXT NOT NULL,                       -- Of the version that unmounting makes.
  author TEXT NOT NULL,                        -- Who unmounts it; "" before.
  discard BIGINT NOT NULL,                     -- 1: unmounting makes no version.
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX mount_volume ON mount (volume);
CREATE UNIQUE INDEX mount_path ON mount (path) WHERE kind = 'path';
