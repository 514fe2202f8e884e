-- SPDX-License-Identifier: GPL-3.0-or-later
-- What does not change of an episode is not in its row. Alerts that come together say nearly the same; written side by side
-- and compressed they take a tenth of the room, and what is rewritten when an episode is over is small.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

CREATE TABLE alert_text (
    realm  text NOT NULL,
    seq    bigint NOT NULL,
    n      integer NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (seq, n, realm)
);
COMMENT ON TABLE alert_text IS 'texts of alerts that were written together; columns text_* of alert say where each begins';
COMMENT ON COLUMN alert_text.realm IS 'realm';
COMMENT ON COLUMN alert_text.seq IS 'last journal row of the transaction that wrote it';
COMMENT ON COLUMN alert_text.n IS 'number within that transaction';
COMMENT ON COLUMN alert_text.body IS 'JSON objects, one after the other: labels, annotations, generator_url, why';
DO $$
BEGIN
    ALTER TABLE faultline.alert_text ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN -- a server built without it keeps the default
    NULL;
END
$$;
-- Compressed to a few kilobytes they stay in the row.
ALTER TABLE alert_text SET (toast_tuple_target = 8160);

ALTER TABLE alert ALTER COLUMN labels DROP NOT NULL, ALTER COLUMN annotations DROP NOT NULL,
    ADD COLUMN text_seq bigint, ADD COLUMN text_n integer, ADD COLUMN text_at integer, ADD COLUMN text_len integer,
    ADD COLUMN rule text, ADD COLUMN team text;
COMMENT ON COLUMN alert.labels IS 'labels; null = in alert_text, with annotations and generator_url';
COMMENT ON COLUMN alert.annotations IS 'annotations';
COMMENT ON COLUMN alert.why IS 'sentences: the way through the engine so far; null = in alert_text';
COMMENT ON COLUMN alert.text_seq IS 'alert_text.seq; null = everything is in this row';
COMMENT ON COLUMN alert.text_n IS 'alert_text.n';
COMMENT ON COLUMN alert.text_at IS 'first byte of its object, from 1';
COMMENT ON COLUMN alert.text_len IS 'how many bytes';
COMMENT ON COLUMN alert.rule IS 'label alertname; null = look into labels';
COMMENT ON COLUMN alert.team IS 'label team, else owner; null = look into labels';

CREATE VIEW alert_full AS
SELECT a.realm, a.fingerprint, a.starts_at, a.ends_at, a.received_at, a.updated_at, a.status, a.severity, a.class, a.node,
       a.map_rule, a.incident, a.source, coalesce(a.generator_url, x.o ->> 'generator_url') AS generator_url,
       coalesce(a.labels, (x.o -> 'labels')::jsonb) AS labels, coalesce(a.annotations, (x.o -> 'annotations')::jsonb) AS annotations,
       coalesce(a.why, x.o -> 'why') AS why, a.silenced_by, a.inhibited_by, a.quiet
  FROM alert a
  LEFT JOIN LATERAL (SELECT convert_from(substr(t.body, a.text_at, a.text_len), 'UTF8')::json AS o FROM alert_text t
                      WHERE t.seq = a.text_seq AND t.n = a.text_n AND t.realm = a.realm AND a.labels IS NULL OFFSET 0) x ON true;
COMMENT ON VIEW alert_full IS 'alert with its texts, wherever they are';

CREATE OR REPLACE VIEW alert_v AS
SELECT realm, lpad(to_hex(fingerprint), 16, '0') AS fingerprint, labels ->> 'alertname' AS alertname, status,
       severity, class, node, incident, starts_at, ends_at, received_at, updated_at, map_rule, source,
       labels, annotations, why, silenced_by, inhibited_by, quiet
  FROM alert_full;

-- Sentences that say what kept an alert quiet are always in its row.
CREATE OR REPLACE VIEW alert_noise_v AS
SELECT a.realm, a.starts_at, lpad(to_hex(a.fingerprint), 16, '0') AS fingerprint,
       coalesce(a.labels ->> 'alertname', a.rule, '') AS rule,
       coalesce(nullif(a.labels ->> 'team', ''), nullif(a.labels ->> 'owner', ''), nullif(a.team, ''), n.owner, '') AS team,
       coalesce(a.source, '') AS source, a.incident,
       CASE WHEN a.why::text ~ '[\[,] *"(until [^ "]+ )?silenced ' THEN 'silenced'
            WHEN a.why::text ~ '[\[,] *"(until [^ "]+ )?inhibited[ :]' THEN 'inhibited'
            WHEN a.why::text ~ '[^\\]kept out of incidents"' THEN 'held' END AS kept,
       r.incident IS NOT NULL AS acted, i.acked_by IS NOT NULL AS acked
  FROM alert a
  LEFT JOIN node n ON n.realm = a.realm AND n.id = a.node AND n.true_until = 'infinity' AND n.known_until = 'infinity'
  LEFT JOIN incident i ON i.realm = a.realm AND i.id = a.incident
  LEFT JOIN (SELECT DISTINCT realm, incident FROM run WHERE started_at IS NOT NULL) r
       ON r.realm = a.realm AND r.incident = a.incident;

GRANT SELECT, INSERT ON alert_text TO faultline_engine;
GRANT SELECT ON alert_text TO faultline_reader;
GRANT SELECT ON alert_full TO faultline_reader, faultline_engine;

-- A line of a timeline is only ever asked for by its incident: one index instead of two.
ALTER TABLE timeline DROP CONSTRAINT timeline_pkey, ADD PRIMARY KEY (incident, event_seq, n, realm);
DROP INDEX timeline_incident;
