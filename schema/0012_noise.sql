-- SPDX-License-Identifier: GPL-3.0-or-later
-- How noisy each alert rule, team and source is, and what came of its alerts.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

CREATE TABLE alert_report (
    realm    text NOT NULL,
    hour     timestamptz NOT NULL,
    rule     text NOT NULL CHECK (octet_length(rule) <= 200),
    team     text NOT NULL CHECK (octet_length(team) <= 64),
    source   text NOT NULL CHECK (octet_length(source) <= 80),
    reports  bigint NOT NULL,
    PRIMARY KEY (realm, hour, rule, team, source)
);
COMMENT ON TABLE alert_report IS 'firing reports that came in, by the hour; repeats included, which write nothing else; kept 31 days';
COMMENT ON COLUMN alert_report.realm IS 'realm';
COMMENT ON COLUMN alert_report.hour IS 'begin of the hour in which the sums were written';
COMMENT ON COLUMN alert_report.rule IS 'label alertname, at most 200 bytes of it; (others): rules beyond the 4,096 that are told apart';
COMMENT ON COLUMN alert_report.team IS 'label team, else owner, else empty';
COMMENT ON COLUMN alert_report.source IS 'format they came in';
COMMENT ON COLUMN alert_report.reports IS 'how many';

CREATE VIEW alert_noise_v AS
SELECT a.realm, a.starts_at, lpad(to_hex(a.fingerprint), 16, '0') AS fingerprint, coalesce(a.labels ->> 'alertname', '') AS rule,
       coalesce(nullif(a.labels ->> 'team', ''), nullif(a.labels ->> 'owner', ''), n.owner, '') AS team,
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
COMMENT ON VIEW alert_noise_v IS 'episodes by alert rule and team: what kept each quiet (the last reason), and what came of its incident';
COMMENT ON COLUMN alert_noise_v.rule IS 'label alertname';
COMMENT ON COLUMN alert_noise_v.team IS 'label team, else owner, else the owner of its component, else empty';
COMMENT ON COLUMN alert_noise_v.kept IS 'silenced, inhibited, held (for any other reason) or null';
COMMENT ON COLUMN alert_noise_v.acted IS 'a playbook ran for its incident';
COMMENT ON COLUMN alert_noise_v.acked IS 'its incident was acknowledged by a person';

CREATE VIEW alert_precision_v AS
SELECT realm, rule, count(*) AS alerts, count(DISTINCT incident) AS incidents, count(incident) AS in_incident,
       count(*) FILTER (WHERE acted) AS acted, count(*) FILTER (WHERE acked) AS acked,
       count(*) FILTER (WHERE NOT acted AND NOT acked) AS nothing,
       round(count(*) FILTER (WHERE acted OR acked)::numeric / count(*), 3) AS precision
  FROM alert_noise_v WHERE starts_at >= now() - interval '30 days' GROUP BY realm, rule;
COMMENT ON VIEW alert_precision_v IS 'of the last 30 days: how often each alert rule led to an incident, a playbook run, an acknowledgement, or nothing';

GRANT SELECT, INSERT, UPDATE, DELETE ON alert_report TO faultline_engine;
GRANT SELECT ON alert_report TO faultline_reader;
GRANT SELECT ON alert_noise_v, alert_precision_v TO faultline_reader, faultline_engine;
