-- The audit log, what devices keep of it, and tokens for groups. Shipped: never edited.
CREATE TABLE audit (
  sequence BIGINT PRIMARY KEY NOT NULL,  -- from 1, without a gap
  at_ms BIGINT NOT NULL,
  who TEXT NOT NULL,
  from_address TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash TEXT NOT NULL                     -- of the hash before it and all of the above
);
-- Also a mistake of ours changes nothing that was written.
CREATE TRIGGER audit_never_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_never_shortened BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
-- The head that the device said it holds, and the one that a person took for known.
ALTER TABLE devices ADD COLUMN audit_sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN audit_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN audit_accepted TEXT NOT NULL DEFAULT '';
-- A token with groups sees and changes only their devices.
ALTER TABLE api_tokens ADD COLUMN groups_text TEXT NOT NULL DEFAULT '';  -- names, comma between
ALTER TABLE api_tokens ADD COLUMN expires_ms BIGINT NOT NULL DEFAULT 0;  -- 0: never
ALTER TABLE api_tokens ADD COLUMN by_name TEXT NOT NULL DEFAULT '';
