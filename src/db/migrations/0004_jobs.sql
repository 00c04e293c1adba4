-- Jobs that share, explain themselves and cost something.

-- == What jobs cost

-- A deleted job keeps its row without command, environment and files, and its history: what it cost stays known.
ALTER TABLE job ADD COLUMN removed_at BIGINT;
ALTER TABLE job ADD COLUMN units TEXT NOT NULL DEFAULT '{"cpu":1,"gpu":0,"flavor":""}';  -- JSON JobUnits.
CREATE INDEX job_ended ON job (tenant, ended_at);
