-- SPDX-License-Identifier: GPL-3.0-or-later
-- What durable intake and its projection pay for each body and each alert.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

-- Bodies are repetitive: lz4 makes them as small as the default method in a tenth of its time. A server built without it
-- keeps the default. Compressed to a few kilobytes they stay in the row, which saves the detour over a second table.
DO $$
BEGIN
    ALTER TABLE faultline.journal ALTER COLUMN body SET COMPRESSION lz4;
    ALTER TABLE faultline.snapshot ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
ALTER TABLE journal SET (toast_tuple_target = 8160);

-- A hash index keeps all entries of one value in one chain of pages, and each insert walks it: thousands of alerts of one
-- incident, or all audit entries of one actor, made that quadratic. These values are short, so a b-tree takes them.
DROP INDEX alert_incident, timeline_incident, run_incident, audit_incident, audit_actor;
CREATE INDEX alert_incident ON alert (incident) WHERE incident IS NOT NULL;
CREATE INDEX timeline_incident ON timeline (incident);
CREATE INDEX run_incident ON run (incident);
CREATE INDEX audit_incident ON audit (incident) WHERE incident <> '';
CREATE INDEX audit_actor ON audit (actor);
-- No query of the engine looks alerts up by their component, and its name may be too long for a b-tree.
DROP INDEX alert_node;
