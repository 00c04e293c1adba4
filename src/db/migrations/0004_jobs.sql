-- Jobs that share, explain themselves and cost something.

-- == What jobs cost

-- A deleted job keeps its row without command, environment and files, and its history: what it cost stays known.
ALTER TABLE job ADD COLUMN removed_at BIGINT;
ALTER TABLE job ADD COLUMN units TEXT NOT NULL DEFAULT '{"cpu":1,"gpu":0,"flavor":""}';  -- JSON JobUnits.
CREATE INDEX job_ended ON job (tenant, ended_at);

-- == What kept jobs and transfers

-- What was the case, and from when to when; volume/happenings.h.
CREATE TABLE happening (
  subject TEXT NOT NULL,                       -- Id of a job or transfer.
  number BIGINT NOT NULL,
  cause TEXT NOT NULL,
  since BIGINT NOT NULL,
  until BIGINT,
  what TEXT NOT NULL,
  other TEXT NOT NULL,
  files BIGINT,
  bytes BIGINT,
  PRIMARY KEY (subject, number)
);

-- == Events and webhooks

-- What has happened in projects, in order; kept for 30 days, the newest always.
CREATE TABLE event (
  number BIGINT PRIMARY KEY,                   -- Rises.
  project TEXT NOT NULL REFERENCES project (id),
  type TEXT NOT NULL,                          -- job.running, transfer.done, version.published, …
  subject TEXT NOT NULL,                       -- Id of the job, transfer or volume.
  date BIGINT NOT NULL,
  body TEXT NOT NULL                           -- JSON EventBody.
);
CREATE INDEX event_project ON event (project, number);
CREATE INDEX event_date ON event (date);

-- Who is told of them elsewhere.
CREATE TABLE webhook (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  project TEXT NOT NULL REFERENCES project (id),
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  types TEXT NOT NULL,                         -- JSON list of patterns; empty: all.
  secret TEXT NOT NULL,                        -- Name of the one whose value 'key' signs; '': its own key does.
  sealed TEXT NOT NULL,                        -- Its own key, sealed; or ''.
  reach TEXT NOT NULL,                         -- open, private_network or this_machine: where the URL led to.
  active BIGINT NOT NULL,
  sent BIGINT NOT NULL,                        -- Number of the last event that is dealt with.
  delivered BIGINT NOT NULL,
  dropped BIGINT NOT NULL,
  failures BIGINT NOT NULL,                    -- In a row.
  last_error TEXT NOT NULL,
  last_delivery_at BIGINT,
  retry_at BIGINT,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  UNIQUE (project, name)
);

-- == What was seen of objects

-- An import reads a range of it for each page of a listing. Rows lie in the order of their keys, each once and with the
-- digest's own 32 bytes: half as many pages to read, whose checksums are compared each time.
CREATE TABLE seen_by_key (
  datastore TEXT NOT NULL REFERENCES datastore (id),
  key TEXT NOT NULL,
  etag TEXT NOT NULL,
  size BIGINT NOT NULL,
  digest BLOB NOT NULL,                        -- Not in hexadecimal digits, as elsewhere.
  PRIMARY KEY (datastore, key)
) WITHOUT ROWID;
INSERT INTO seen_by_key (datastore, key, etag, size, digest)
  SELECT datastore, key, etag, size, unhex(digest) FROM seen_object
  WHERE unhex(digest) IS NOT NULL ORDER BY datastore, key;
DROP TABLE seen_object;
ALTER TABLE seen_by_key RENAME TO seen_object;
CREATE INDEX seen_object_digest ON seen_object (digest);  -- As before: for repairs and sweeps.

-- == Data that jobs attach from datastores

-- A volume that holds what a job attached from a datastore. People do not see it among theirs.
CREATE TABLE staged (
  volume TEXT PRIMARY KEY REFERENCES volume (id),
  datastore TEXT NOT NULL,                     -- Id of the datastore that it was filled from; '': it began empty.
  directory TEXT NOT NULL,
  job TEXT NOT NULL,                           -- Whose it is; '': kept for all jobs of the project.
  used_at BIGINT NOT NULL                      -- When a job last began or ended to use it.
);
CREATE UNIQUE INDEX staged_kept ON staged (datastore, directory) WHERE job = '';
CREATE INDEX staged_job ON staged (job);

-- One attachment's data on their way between a datastore and a job.
CREATE TABLE data_sync (
  id TEXT PRIMARY KEY,
  job TEXT NOT NULL REFERENCES job (id),
  number BIGINT NOT NULL,                      -- Of the attachment.
  direction TEXT NOT NULL,                     -- pull, push
  manual BIGINT NOT NULL,                      -- 1: somebody asked for it.
  state TEXT NOT NULL,                         -- QUEUED, RUNNING, DONE, FAILED, ERROR
  volume TEXT NOT NULL,                        -- Id of the one that is filled, or read.
  version BIGINT NOT NULL,                     -- push: what is pushed, once it is known.
  transfer TEXT NOT NULL,                      -- That moves it; '': none yet, or nothing was to be moved.
  reason TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  ended_at BIGINT
);
CREATE INDEX data_sync_job ON data_sync (job);

ALTER TABLE job_attachment ADD COLUMN datastore TEXT NOT NULL DEFAULT '';       -- Name of the one that it is pulled from.
ALTER TABLE job_attachment ADD COLUMN directory TEXT NOT NULL DEFAULT '';
ALTER TABLE job_attachment ADD COLUMN push_datastore TEXT NOT NULL DEFAULT '';  -- Name of the one that it is pushed to.
ALTER TABLE job_attachment ADD COLUMN push_directory TEXT NOT NULL DEFAULT '';
ALTER TABLE job_attachment ADD COLUMN pushed BIGINT NOT NULL DEFAULT 0;         -- The version that is there already.
ALTER TABLE transfer ADD COLUMN staged BIGINT NOT NULL DEFAULT 0;  -- For a job that writes: see format-database.md.
ALTER TABLE transfer ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE datastore ADD COLUMN hidden BIGINT NOT NULL DEFAULT 0;  -- Made for a URL that a job attached.

-- == Lineage

ALTER TABLE transfer ADD COLUMN found TEXT;                               -- JSON PlanSides, when its last run began.
ALTER TABLE version ADD COLUMN source_volume TEXT NOT NULL DEFAULT '';    -- Of a clone or restore: id of its source's volume.
UPDATE version SET source_volume = volume WHERE origin = 'restore';
UPDATE version SET source_volume = COALESCE((
  SELECT source.volume FROM version AS source JOIN volume ON volume.id = source.volume
  WHERE volume.name || '@' || source.number = version.origin_id AND source.tree = version.tree
  AND volume.tenant = (SELECT made.tenant FROM volume AS made WHERE made.id = version.volume)
  ORDER BY source.volume LIMIT 1), '') WHERE origin = 'clone';
CREATE INDEX version_source ON version (source_volume) WHERE source_volume <> '';
CREATE INDEX transfer_volume ON transfer (volume);

-- == Receipts

ALTER TABLE job ADD COLUMN receipt TEXT NOT NULL DEFAULT '';              -- JSON Receipt, written when it ended.
