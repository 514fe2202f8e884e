-- SPDX-License-Identifier: GPL-3.0-or-later
-- What was said of silences and maintenance windows that hide much for long.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

ALTER TABLE silence ADD COLUMN reminders bigint NOT NULL DEFAULT 0, ADD COLUMN reminded_at timestamptz, ADD COLUMN reminder text;
COMMENT ON COLUMN silence.reminders IS 'how often it was said that it hides much for long, or ends while it hides something';
COMMENT ON COLUMN silence.reminded_at IS 'when that was said last; null = never';
COMMENT ON COLUMN silence.reminder IS 'what was said last; null = it is not so any more, or never was';
ALTER TABLE maintenance ADD COLUMN reminders bigint NOT NULL DEFAULT 0, ADD COLUMN reminded_at timestamptz, ADD COLUMN reminder text;
COMMENT ON COLUMN maintenance.reminders IS 'how often it was said that it hides much for long, or ends while it hides something';
COMMENT ON COLUMN maintenance.reminded_at IS 'when that was said last; null = never';
COMMENT ON COLUMN maintenance.reminder IS 'what was said last; null = it is not so any more, or never was';

CREATE VIEW hidden_v AS
SELECT a.realm, x.id, count(*) AS hidden, count(*) FILTER (WHERE a.severity = 'critical') AS critical
  FROM alert a, json_array_elements_text(a.silenced_by) x(id)
 WHERE a.status = 'firing' AND a.silenced_by IS NOT NULL GROUP BY a.realm, x.id;
COMMENT ON VIEW hidden_v IS 'silences and maintenance windows that hide firing alerts now, and how many';

CREATE VIEW quiet_v AS
SELECT q.*, coalesce(h.hidden, 0) AS hidden, coalesce(h.critical, 0) AS critical FROM (
    SELECT realm, 'silence' AS kind, id,
           CASE WHEN ends_at <= now() THEN 'expired' WHEN starts_at > now() THEN 'pending' ELSE 'active' END AS state,
           created_by, comment, starts_at, ends_at, updated_at, reminders, reminded_at, reminder, matchers AS definition FROM silence
    UNION ALL
    SELECT realm, 'maintenance', id, state, created_by, coalesce(definition ->> 'comment', ''), NULL,
           CASE WHEN state = 'open' THEN next_at END, updated_at, reminders, reminded_at, reminder, definition FROM maintenance
) q LEFT JOIN hidden_v h ON h.realm = q.realm AND h.id = q.id;
COMMENT ON VIEW quiet_v IS 'silences and maintenance windows: how many firing alerts each hides now, and what was said of that';

GRANT SELECT ON hidden_v, quiet_v TO faultline_reader, faultline_engine;
