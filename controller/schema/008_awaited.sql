-- A wish that no rollout asks after, of which the device has not said yet what became. Shipped: never
-- edited.
ALTER TABLE desired ADD COLUMN awaited INTEGER NOT NULL DEFAULT 0;
