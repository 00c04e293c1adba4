-- Jobs that outlive what goes wrong.

-- == Data that jobs push

ALTER TABLE job_attachment ADD COLUMN push_store TEXT NOT NULL DEFAULT '';  -- Id of push_datastore.
UPDATE job_attachment SET push_store = COALESCE((
  SELECT datastore.id FROM job JOIN datastore ON datastore.project = job.project
  WHERE job.id = job_attachment.job AND datastore.name = job_attachment.push_datastore), '')
  WHERE push_datastore <> '';
CREATE INDEX data_sync_under_way ON data_sync (job) WHERE state IN ('QUEUED', 'RUNNING');
ALTER TABLE data_sync ADD COLUMN occasion TEXT NOT NULL DEFAULT '';         -- Why: a SyncOccasion.
UPDATE data_sync SET occasion = CASE WHEN manual = 1 THEN 'asked' WHEN direction = 'pull' THEN 'begin' ELSE 'end' END;
ALTER TABLE job_attachment ADD COLUMN marker TEXT NOT NULL DEFAULT '';      -- Its appearance that was published last.
ALTER TABLE job ADD COLUMN published_at BIGINT;                             -- When its last periodic publication began.

-- == Runs of jobs

-- A job's row, its attachments and its synchronisations are those of its newest run. What the ones before were:
CREATE TABLE job_run (
  job TEXT NOT NULL REFERENCES job (id),
  number BIGINT NOT NULL,                      -- From 1.
  state TEXT NOT NULL,                         -- In which it ended.
  reason TEXT NOT NULL,
  exit_code BIGINT,
  queued_at BIGINT NOT NULL,
  started_at BIGINT,
  ended_at BIGINT NOT NULL,
  receipt TEXT NOT NULL,                       -- As job.receipt.
  PRIMARY KEY (job, number)
);
CREATE TABLE job_run_attachment (
  job TEXT NOT NULL REFERENCES job (id),
  run BIGINT NOT NULL,
  number BIGINT NOT NULL,
  volume TEXT NOT NULL REFERENCES volume (id),
  path TEXT NOT NULL,
  access TEXT NOT NULL,
  version BIGINT NOT NULL,
  result BIGINT NOT NULL,
  PRIMARY KEY (job, run, number)
);
CREATE INDEX job_run_attachment_volume ON job_run_attachment (volume);

ALTER TABLE job ADD COLUMN run BIGINT NOT NULL DEFAULT 1;
ALTER TABLE job ADD COLUMN queued_at BIGINT NOT NULL DEFAULT 0;      -- When the newest run was asked for.
ALTER TABLE job ADD COLUMN begins_at BIGINT;                         -- Not before this time.
ALTER TABLE job ADD COLUMN restarts BIGINT NOT NULL DEFAULT 0;       -- After failures, since somebody last asked for a run.
ALTER TABLE job ADD COLUMN sealed TEXT NOT NULL DEFAULT '';          -- Values of its secret variables, sealed; '': none.
UPDATE job SET queued_at = created_at;
ALTER TABLE job_event ADD COLUMN run BIGINT NOT NULL DEFAULT 1;
ALTER TABLE data_sync ADD COLUMN past_run BIGINT NOT NULL DEFAULT 0; -- The run it was of; 0: the newest.

-- == The queue

-- What a job holds while it may use it, and is held to; 0: none of it, and no limit.
ALTER TABLE job ADD COLUMN cpu BIGINT NOT NULL DEFAULT 0;            -- Cores.
ALTER TABLE job ADD COLUMN memory_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN gpu BIGINT NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN gpus TEXT NOT NULL DEFAULT '[]';          -- Which ones: JSON list of their indices.
ALTER TABLE job ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;       -- -100 … 100.
ALTER TABLE job ADD COLUMN in_queue BIGINT NOT NULL DEFAULT 0;       -- 1: QUEUED, and waits for nothing but its turn.
ALTER TABLE job ADD COLUMN turn TEXT NOT NULL DEFAULT '';            -- Why it has to wait in the queue: a Turn; '': not said yet.
UPDATE job SET cpu = COALESCE(json_extract(spec, '$.cpus'), 0),
  memory_bytes = COALESCE(json_extract(spec, '$.memoryBytes'), 0),
  gpu = COALESCE(json_extract(spec, '$.container.gpus'), 0);
-- The survey reads both again and again, and no row itself, since a job's spec may be long: all that it asks for is in
-- the indices.
CREATE INDEX job_queue ON job (priority DESC, queued_at, id, project, run, cpu, memory_bytes, gpu, turn, in_queue)
  WHERE in_queue = 1;
CREATE INDEX job_at_work ON job (queued_at, id, state, project, cpu, memory_bytes, gpu, gpus, in_queue)
  WHERE in_queue = 0 AND state NOT IN ('DONE', 'INTERRUPTED', 'FAILED', 'ERROR');

-- What a project's jobs may hold at once; NULL: not limited.
ALTER TABLE project ADD COLUMN quota_cpu BIGINT;
ALTER TABLE project ADD COLUMN quota_memory_bytes BIGINT;
ALTER TABLE project ADD COLUMN quota_gpu BIGINT;
ALTER TABLE project ADD COLUMN quota_jobs BIGINT;
