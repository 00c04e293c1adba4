-- Any data in, any data out: more kinds of datastores, transfers by parts, uploads, volumes in buckets.

-- == Datastores

ALTER TABLE datastore ADD COLUMN proxy TEXT NOT NULL DEFAULT '';     -- "http://host:port" that its requests go through.
ALTER TABLE datastore ADD COLUMN no_proxy TEXT NOT NULL DEFAULT '';  -- Hosts reached without it.
ALTER TABLE datastore ADD COLUMN reach TEXT NOT NULL DEFAULT '';     -- open, private_network, this_machine, or any.
ALTER TABLE transfer ADD COLUMN revision TEXT NOT NULL DEFAULT '';   -- The commit that an import reads.

-- == Transfers: what was asked, what failed

ALTER TABLE transfer ADD COLUMN include TEXT NOT NULL DEFAULT '[]';           -- JSON list of patterns.
ALTER TABLE transfer ADD COLUMN exclude TEXT NOT NULL DEFAULT '[]';
ALTER TABLE transfer ADD COLUMN trash TEXT NOT NULL DEFAULT '';
ALTER TABLE transfer ADD COLUMN confirmed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE transfer ADD COLUMN skip_conflicts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE transfer ADD COLUMN expected TEXT;                                -- JSON PlanSides.
ALTER TABLE transfer ADD COLUMN verified TEXT NOT NULL DEFAULT '';
ALTER TABLE transfer ADD COLUMN agreed BIGINT NOT NULL DEFAULT 0;             -- Of an export: see format-database.md.
ALTER TABLE transfer ADD COLUMN retry_of TEXT NOT NULL DEFAULT '';            -- Id of a transfer.

-- TransferCounts has two fields more. How many are processed is computed from the others where counts are read.
UPDATE transfer SET counts = replace(counts, '"completed":', '"processed":0,"transferredBytes":0,"completed":');

-- Files that a transfer did not copy, for reasons of their own; the first 1000.
CREATE TABLE transfer_failure (
  transfer TEXT NOT NULL REFERENCES transfer (id),
  number BIGINT NOT NULL,                      -- From 1.
  path TEXT NOT NULL,
  reason TEXT NOT NULL,
  outcome TEXT NOT NULL,                       -- failed, skipped
  PRIMARY KEY (transfer, number)
);

-- == The journal of imports

-- == The journal of exports

-- Uploads in parts that exports have begun in datastores and not ended: whoever comes next goes on with them, or abandons
-- them.
CREATE TABLE transfer_upload (
  transfer TEXT NOT NULL REFERENCES transfer (id),
  key TEXT NOT NULL,
  upload TEXT NOT NULL,                        -- The datastore's name for it; '': it is about to be asked for.
  mark TEXT NOT NULL,
  PRIMARY KEY (transfer, key)
);

-- == Uploads

-- Files on their way into a volume by many requests; it holds the volume's writer's lease while it is open.
CREATE TABLE upload (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenant (id),
  project TEXT NOT NULL REFERENCES project (id),
  volume TEXT NOT NULL REFERENCES volume (id),
  state TEXT NOT NULL,                         -- open, finished, aborted, expired
  base BIGINT NOT NULL,                        -- The head when it began; the lease keeps it so.
  version BIGINT NOT NULL,                     -- Made at the end; 0: none.
  source TEXT NOT NULL,
  directory TEXT NOT NULL,
  message TEXT NOT NULL,
  files BIGINT NOT NULL,                       -- Complete rows of upload_file.
  bytes BIGINT NOT NULL,                       -- Of them.
  growth BIGINT NOT NULL,                      -- By which the volume would grow: sizes less those of what is replaced.
  reserved_bytes BIGINT NOT NULL,
  staged BIGINT NOT NULL,                      -- Number of the newest staging file.
  expire_seconds BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  touched_at BIGINT NOT NULL,
  ended_at BIGINT,
  created_by TEXT NOT NULL
);
CREATE INDEX upload_volume ON upload (volume);

-- What has come. A complete file's blob is durable in the store; another's bytes are in a staging file.
CREATE TABLE upload_file (
  upload TEXT NOT NULL REFERENCES upload (id),
  path TEXT NOT NULL,
  kind TEXT NOT NULL,                          -- file, directory, symlink
  size BIGINT NOT NULL,
  executable BIGINT NOT NULL,
  digest TEXT NOT NULL,                        -- Of a complete file; "" otherwise.
  target TEXT NOT NULL,
  complete BIGINT NOT NULL,
  staged BIGINT NOT NULL,                      -- Number of its staging file; 0: none.
  replaced_bytes BIGINT NOT NULL,              -- Size of the file that it replaces in the base.
  PRIMARY KEY (upload, path)
);

-- == Volumes kept in buckets (storage type obs)

ALTER TABLE volume ADD COLUMN datastore TEXT NOT NULL DEFAULT '';        -- Name of the one that has its bucket.
ALTER TABLE volume ADD COLUMN directory TEXT NOT NULL DEFAULT '';        -- Below which its objects are; "" is all.
ALTER TABLE job_attachment ADD COLUMN staging TEXT NOT NULL DEFAULT '';  -- The transfer that makes its version.
ALTER TABLE upload_file ADD COLUMN stored BIGINT NOT NULL DEFAULT 0;     -- Whether its object is in the bucket.
