-- Whether a device kept its own values before a rollout came. Shipped: never edited.
ALTER TABLE rollout_devices ADD COLUMN before_keep INTEGER NOT NULL DEFAULT 0;
