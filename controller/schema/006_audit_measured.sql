-- The audit log by who, what and object, and what devices measured. Shipped: never edited.
CREATE INDEX audit_by_who ON audit (who, sequence);
CREATE INDEX audit_by_action ON audit (action, sequence);
CREATE INDEX audit_by_object ON audit (object, sequence);
-- Ten minutes of a device. Written and forgotten by time: new rows come behind all others.
CREATE TABLE measured (
  span_ms BIGINT NOT NULL,     -- where they begin, a multiple of their length
  device_id TEXT NOT NULL,
  row_json TEXT NOT NULL,      -- HistorySample
  PRIMARY KEY (span_ms, device_id)
);
