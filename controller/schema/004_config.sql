-- Values of an app's vars on a device, as operators set them. A secret is here as it came, sealed to
-- the device's key, in hex.
CREATE TABLE config_values (
  device_id TEXT NOT NULL,
  app TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  sealed BIGINT NOT NULL,
  by_name TEXT NOT NULL,
  set_ms BIGINT NOT NULL,
  PRIMARY KEY (device_id, app, name)
);
-- What a value was before the newest change of it, which a rollout carries: the device that does not
-- become healthy with the new one goes back to it. settled: the device has run with the new one.
CREATE TABLE config_before (
  device_id TEXT NOT NULL,
  app TEXT NOT NULL,
  name TEXT NOT NULL,
  rollout BIGINT NOT NULL,
  settled BIGINT NOT NULL,
  was_set BIGINT NOT NULL,
  value TEXT NOT NULL,
  sealed BIGINT NOT NULL,
  by_name TEXT NOT NULL,
  set_ms BIGINT NOT NULL,
  PRIMARY KEY (device_id, app, name)
);
-- X25519, hex; '' until the device has told one.
ALTER TABLE devices ADD COLUMN sealing_key TEXT NOT NULL DEFAULT '';
-- A DesiredApp with overrides, sealed and keep_values alone; '' for none of them.
ALTER TABLE desired ADD COLUMN values_json TEXT NOT NULL DEFAULT '';
