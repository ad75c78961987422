-- Whose turn it is among what is ready: what somebody waits for is ahead of what is looked at because of the time, by so
-- many microseconds, so that the rest has its turn too.
ALTER TABLE work ADD COLUMN ahead INTEGER NOT NULL DEFAULT 0;
CREATE INDEX work_turn ON work (ready_at - ahead) WHERE ready_at IS NOT NULL;

-- The same for the deliveries of one key.
ALTER TABLE delivery ADD COLUMN ahead INTEGER NOT NULL DEFAULT 0;
