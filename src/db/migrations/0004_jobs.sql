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
