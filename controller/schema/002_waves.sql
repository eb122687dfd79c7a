-- Rollouts in waves: a device's row knows its wave, and whether its turn has come. Shipped: never
-- edited, a change is the next file. Rows of before were told at once, all of them.
ALTER TABLE rollout_devices ADD COLUMN wave BIGINT NOT NULL DEFAULT 1;
ALTER TABLE rollout_devices ADD COLUMN let_in BIGINT NOT NULL DEFAULT 1;
ALTER TABLE rollout_devices ADD COLUMN online BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rollout_devices ADD COLUMN going_back BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rollout_devices ADD COLUMN before_stage BIGINT NOT NULL DEFAULT 0;
-- Who waits for his turn, and who is under way: what each look for the next ones reads.
CREATE INDEX rollout_devices_waiting ON rollout_devices (rollout, wave)
  WHERE ended = 0 AND let_in = 0 AND online = 1;
CREATE INDEX rollout_devices_under_way ON rollout_devices (device_id) WHERE ended = 0 AND let_in = 1;
-- A release that is fetched and verified beside what runs; 0: none.
ALTER TABLE desired ADD COLUMN stage_release BIGINT NOT NULL DEFAULT 0;
