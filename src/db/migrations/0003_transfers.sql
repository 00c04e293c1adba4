-- Any data in, any data out: more kinds of datastores, transfers by parts, uploads, volumes in buckets.

-- == Datastores

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

-- == Uploads

-- == Volumes kept in buckets (storage type obs)
