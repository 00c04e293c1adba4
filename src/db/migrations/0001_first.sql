-- The first schema. One dialect for SQLite and PostgreSQL: TEXT, BIGINT and no database-made keys.
-- Ids are texts ("vol-…"), times BIGINT microseconds since 1970 UTC, digests 64 hexadecimal digits, lists and maps JSON texts.
-- Every owned row has its tenant and project from the first day; there is one default of each until scopes arrive.

CREATE TABLE tenant (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE project (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  name TEXT NOT NULL,
  quota_fs_bytes BIGINT NOT NULL,              -- Sum over the volumes of used and reserved stays at or below.
  quota_obs_bytes BIGINT NOT NULL,
  UNIQUE (tenant, name)
);

-- Who asks: a user, a token of a machine, a job's own token.
CREATE TABLE subject (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  kind TEXT NOT NULL,                          -- user, service, job
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  disabled_at BIGINT,
  UNIQUE (tenant, name)
);

CREATE TABLE token (
  id TEXT PRIMARY KEY,                         -- "tok-<id>" of the text "volary_<id>_<secret>".
  subject TEXT NOT NULL REFERENCES subject (id),
  name TEXT NOT NULL,
  secret_hash TEXT NOT NULL,                   -- BLAKE3 of the secret part (192 random bits: no salt is needed).
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT
);

-- subject + role + scope. Denied is what no row grants.
CREATE TABLE role_grant (
  id TEXT PRIMARY KEY,
  subject TEXT NOT NULL REFERENCES subject (id),
  role TEXT NOT NULL,
  scope_kind TEXT NOT NULL,                    -- tenant, cluster, department, project
  scope TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (subject, role, scope_kind, scope)
);

CREATE TABLE secret (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  project TEXT NOT NULL REFERENCES project (id),
  name TEXT NOT NULL,
  keys TEXT NOT NULL,                          -- JSON list of the names of its values.
  sealed TEXT NOT NULL,                        -- Its values under the key outside the database: access/secrets.h.
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (project, name)
);

CREATE TABLE datastore (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  project TEXT NOT NULL REFERENCES project (id),
  name TEXT NOT NULL,
  kind TEXT NOT NULL,                          -- directory, s3
  path TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  region TEXT NOT NULL,
  bucket TEXT NOT NULL,
  url_style TEXT NOT NULL,
  secret TEXT NOT NULL,                        -- Name of a secret of the project, or "".
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (project, name)
);

CREATE TABLE volume (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  project TEXT NOT NULL REFERENCES project (id),
  name TEXT NOT NULL,
  data_type TEXT NOT NULL,                     -- model, dataset, other
  storage_type TEXT NOT NULL,                  -- fs, obs
  quota_bytes BIGINT NOT NULL,
  used_bytes BIGINT NOT NULL,                  -- Logical bytes of the head.
  reserved_bytes BIGINT NOT NULL,              -- used + reserved <= quota, kept by one conditional UPDATE.
  tags TEXT NOT NULL,                          -- JSON list.
  head BIGINT NOT NULL,                        -- Number of the newest version; 0: none.
  writer_epoch BIGINT NOT NULL,                -- Of the newest writer's lease; only grows.
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (project, name)
);

CREATE TABLE version (
  volume TEXT NOT NULL REFERENCES volume (id),
  number BIGINT NOT NULL,                      -- 1, 2, 3 … without gaps.
  tree TEXT NOT NULL,
  checksum TEXT NOT NULL,
  files BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  author TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  message TEXT NOT NULL,
  origin TEXT NOT NULL,                        -- import, upload, job, clone, restore, snapshot
  origin_id TEXT NOT NULL,                     -- Transfer or job; "" if none.
  PRIMARY KEY (volume, number)
);
-- A transfer or job makes at most one version of a volume, however often its end is tried (invariant I8).
CREATE UNIQUE INDEX version_origin ON version (volume, origin_id) WHERE origin_id <> '';

CREATE TABLE version_tag (
  volume TEXT NOT NULL REFERENCES volume (id),
  tag TEXT NOT NULL,
  number BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (volume, tag)
);

CREATE TABLE share (
  volume TEXT NOT NULL REFERENCES volume (id),
  scope_kind TEXT NOT NULL,
  scope TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (volume, scope_kind, scope)
);

-- Who holds a volume and how. A writer's row exists at most once per volume.
CREATE TABLE lease (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  volume TEXT NOT NULL REFERENCES volume (id),
  kind TEXT NOT NULL,                          -- reader, writer
  version BIGINT NOT NULL,                     -- The version read, or written on top of.
  epoch BIGINT NOT NULL,                       -- Of a writer: volume.writer_epoch when it was taken.
  holder_kind TEXT NOT NULL,                   -- job, transfer, mount
  holder TEXT NOT NULL,
  acquired_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX lease_writer ON lease (volume) WHERE kind = 'writer';
CREATE INDEX lease_volume ON lease (volume);
CREATE INDEX lease_holder ON lease (holder_kind, holder);

CREATE TABLE transfer (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  project TEXT NOT NULL REFERENCES project (id),
  kind TEXT NOT NULL,                          -- import, export_
  volume TEXT NOT NULL REFERENCES volume (id),
  version BIGINT NOT NULL,
  datastore TEXT NOT NULL,
  source_directory TEXT NOT NULL,
  destination_directory TEXT NOT NULL,
  strategy TEXT NOT NULL,
  message TEXT NOT NULL,
  state TEXT NOT NULL,
  counts TEXT NOT NULL,                        -- JSON TransferCounts.
  error TEXT NOT NULL,
  reserved_bytes BIGINT NOT NULL,              -- What it holds of the volume's reserved_bytes.
  cancel_requested BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  ended_at BIGINT,
  created_by TEXT NOT NULL
);
CREATE INDEX transfer_state ON transfer (state);

-- The journal: what a transfer has already brought into the store durably; a resumed one does not fetch it again.
CREATE TABLE transfer_item (
  transfer TEXT NOT NULL REFERENCES transfer (id),
  path TEXT NOT NULL,
  etag TEXT NOT NULL,
  size BIGINT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (transfer, path)
);

-- What a datastore said of an object whose bytes we have hashed: the same etag and size again mean the same bytes.
CREATE TABLE seen_object (
  datastore TEXT NOT NULL REFERENCES datastore (id),
  key TEXT NOT NULL,
  etag TEXT NOT NULL,
  size BIGINT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (datastore, key)
);

CREATE TABLE job (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  project TEXT NOT NULL REFERENCES project (id),
  subject TEXT NOT NULL,                       -- Name of who submitted it.
  name TEXT NOT NULL,
  spec TEXT NOT NULL,                          -- JSON NewJob.
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  exit_code BIGINT,
  ending TEXT NOT NULL,                        -- The terminal state that FINALIZING leads to; "" before.
  stop_requested BIGINT NOT NULL,              -- 1: somebody asked to stop it.
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  ended_at BIGINT,
  lease_owner TEXT NOT NULL,                   -- The server process that works on it, and until when.
  lease_until BIGINT NOT NULL
);
CREATE INDEX job_state ON job (state);

CREATE TABLE job_event (
  job TEXT NOT NULL REFERENCES job (id),
  number BIGINT NOT NULL,
  state TEXT NOT NULL,
  date BIGINT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (job, number)
);

CREATE TABLE job_attachment (
  job TEXT NOT NULL REFERENCES job (id),
  number BIGINT NOT NULL,
  volume TEXT NOT NULL REFERENCES volume (id),
  path TEXT NOT NULL,
  access TEXT NOT NULL,                        -- ro, rw, rwd
  version BIGINT NOT NULL,                     -- Read from the start; 0: empty.
  lease TEXT NOT NULL,                         -- Its row's id while the job holds it.
  result BIGINT NOT NULL,                      -- The version the job made; 0: none.
  PRIMARY KEY (job, number)
);
CREATE INDEX job_attachment_volume ON job_attachment (volume);

-- Every change and every refusal. hash = BLAKE3(previous hash + the row's fields): a removed or altered row breaks the chain.
CREATE TABLE audit (
  number BIGINT PRIMARY KEY,
  tenant TEXT NOT NULL,
  at BIGINT NOT NULL,
  subject TEXT NOT NULL,
  action TEXT NOT NULL,                        -- The route: "POST /api/v1/volumes".
  object TEXT NOT NULL,
  outcome TEXT NOT NULL,                       -- ok, or an error code.
  request TEXT NOT NULL,
  hash TEXT NOT NULL
);

INSERT INTO tenant (id, name) VALUES ('ten-default', 'default');
INSERT INTO project (id, tenant, name, quota_fs_bytes, quota_obs_bytes)
  VALUES ('prj-default', 'ten-default', 'default', 1099511627776, 1099511627776);
