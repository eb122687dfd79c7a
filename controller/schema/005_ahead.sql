-- What a device was told last, and devices that obeyed a newer word than that: a controller which was
-- restored from an older backup knows them by it. Shipped: never edited, a change is the next file.
-- A generation is also raised for devices that are not there; what they obeyed is compared with the
-- last one that was really given to them.
ALTER TABLE devices ADD COLUMN generation_told BIGINT NOT NULL DEFAULT 0;
UPDATE devices SET generation_told = generation;
ALTER TABLE devices ADD COLUMN ahead_ms BIGINT NOT NULL DEFAULT 0;  -- since when; 0: it is not ahead
ALTER TABLE devices ADD COLUMN ahead_text TEXT NOT NULL DEFAULT '';
