-- SPDX-License-Identifier: GPL-3.0-or-later
-- Tokens can be made and revoked straight in the database, without the engine: it has to notice such rows and
-- give each its audit entry, once. What exists already was either recorded or is too old to be dated.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

ALTER TABLE token ADD COLUMN revoked_by text NOT NULL DEFAULT '',
    ADD COLUMN audited text NOT NULL DEFAULT '' CHECK (audited IN ('', 'created', 'revoked'));
COMMENT ON COLUMN token.revoked_by IS 'by whom';
COMMENT ON COLUMN token.audited IS 'what of it the audit trail holds: nothing, that it was made, that it was revoked';
UPDATE token SET audited = CASE WHEN revoked_at IS NULL THEN 'created' ELSE 'revoked' END;

GRANT UPDATE (revoked_by, audited) ON token TO faultline_engine;
