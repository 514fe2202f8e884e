-- SPDX-License-Identifier: GPL-3.0-or-later
-- Roles. None may log in: a login role of yours is made a member of one of them.
--   faultline_owner   owns every object; only migrations act as it
--   faultline_engine  what `faultline serve` acts as: may add to the audit, never change it
--   faultline_reader  reviewers and dashboards: reads the views, sees no token hash and no raw body
-- Roles belong to the whole cluster, so another database may have made them already.
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['faultline_owner', 'faultline_engine', 'faultline_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', r);
        END IF;
        IF NOT pg_has_role(current_user, r, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', r, current_user);
        END IF;
    END LOOP;
END
$$;

ALTER SCHEMA faultline OWNER TO faultline_owner;
ALTER TABLE faultline.schema_migration OWNER TO faultline_owner;
GRANT USAGE ON SCHEMA faultline TO faultline_engine, faultline_reader;
GRANT SELECT ON faultline.schema_migration TO faultline_engine, faultline_reader;
COMMENT ON SCHEMA faultline IS 'Faultline: journal, projections of it, audit trail';
COMMENT ON TABLE faultline.schema_migration IS 'migrations applied, with the SHA-256 of their text';
