-- SPDX-License-Identifier: GPL-3.0-or-later
-- What alert keeps beside packed texts, the rule and the team, is read without unpacking them.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

COMMENT ON COLUMN alert.annotations IS 'annotations; null = in alert_text';
COMMENT ON COLUMN alert.rule IS 'where labels is null: label alertname, null = it has none; else look into labels';
COMMENT ON COLUMN alert.team IS 'where labels is null: label team, else owner, null = it has none; else look into labels';

CREATE OR REPLACE VIEW alert_full AS
SELECT a.realm, a.fingerprint, a.starts_at, a.ends_at, a.received_at, a.updated_at, a.status, a.severity, a.class, a.node,
       a.map_rule, a.incident, a.source, coalesce(a.generator_url, x.o ->> 'generator_url') AS generator_url,
       coalesce(a.labels, (x.o -> 'labels')::jsonb) AS labels, coalesce(a.annotations, (x.o -> 'annotations')::jsonb) AS annotations,
       coalesce(a.why, x.o -> 'why') AS why, a.silenced_by, a.inhibited_by, a.quiet,
       CASE WHEN a.labels IS NULL THEN a.rule ELSE a.labels ->> 'alertname' END AS rule,
       CASE WHEN a.labels IS NULL THEN a.team ELSE coalesce(nullif(a.labels ->> 'team', ''), nullif(a.labels ->> 'owner', '')) END AS team
  FROM alert a
  LEFT JOIN LATERAL (SELECT convert_from(substr(t.body, a.text_at, a.text_len), 'UTF8')::json AS o FROM alert_text t
                      WHERE t.seq = a.text_seq AND t.n = a.text_n AND t.realm = a.realm AND a.labels IS NULL OFFSET 0) x ON true;
DO $$
DECLARE c record;
BEGIN -- most are those of alert
    FOR c IN SELECT attname AS name, col_description('faultline.alert'::regclass, attnum) AS said FROM pg_attribute
              WHERE attrelid = 'faultline.alert'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT LIKE 'text\_%' LOOP
        EXECUTE format('COMMENT ON COLUMN faultline.alert_full.%I IS %L', c.name, c.said);
    END LOOP;
END
$$;
COMMENT ON COLUMN alert_full.labels IS 'labels, wherever they are';
COMMENT ON COLUMN alert_full.annotations IS 'annotations, wherever they are';
COMMENT ON COLUMN alert_full.generator_url IS 'link given by the sender, wherever it is';
COMMENT ON COLUMN alert_full.why IS 'sentences: the way through the engine so far, wherever they are';
COMMENT ON COLUMN alert_full.rule IS 'label alertname; null = it has none. Read without the packed texts';
COMMENT ON COLUMN alert_full.team IS 'label team, else owner; null = it has none. Read without the packed texts';

CREATE OR REPLACE VIEW alert_v AS
SELECT realm, lpad(to_hex(fingerprint), 16, '0') AS fingerprint, rule AS alertname, status,
       severity, class, node, incident, starts_at, ends_at, received_at, updated_at, map_rule, source,
       labels, annotations, why, silenced_by, inhibited_by, quiet
  FROM alert_full;
