-- SPDX-License-Identifier: GPL-3.0-or-later
-- For people and dashboards: times in UTC, hashes as hex, no internals.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

CREATE VIEW incident_v AS
SELECT realm, id, title, state, severity, opened_at, resolved_at, resolved_at - opened_at AS lasted,
       alerts_total, alerts_firing, alerts_stale, components, cause, round(confidence::numeric, 3) AS confidence,
       merged_into, acked_by, assignee, reason, last_alert_at, updated_at
  FROM incident;
COMMENT ON VIEW incident_v IS 'incidents as they are now';

CREATE VIEW alert_v AS
SELECT realm, lpad(to_hex(fingerprint), 16, '0') AS fingerprint, labels ->> 'alertname' AS alertname, status,
       severity, class, node, incident, starts_at, ends_at, received_at, updated_at, map_rule, source,
       labels, annotations, why
  FROM alert;
COMMENT ON VIEW alert_v IS 'episodes of alerts, with the component and incident each belongs to';

CREATE VIEW timeline_v AS
SELECT realm, incident, at, kind, actor, text, event_seq, n FROM timeline ORDER BY realm, event_seq, n;
COMMENT ON VIEW timeline_v IS 'what happened to incidents, in order';

CREATE VIEW cause_v AS
SELECT DISTINCT ON (realm, incident) realm, incident, version, at, model,
       encode(rules_hash, 'hex') AS rules, encode(topology_hash, 'hex') AS topology, ranking
  FROM ranking ORDER BY realm, incident, version DESC;
COMMENT ON VIEW cause_v IS 'the last ranking of causes of each incident';

CREATE VIEW run_v AS
SELECT realm, id, incident, playbook, version, state, approval, requested_by, approved_by, reason,
       created_at, started_at, ended_at, ended_at - started_at AS lasted, recoveries,
       encode(playbook_hash, 'hex') AS playbook_sha256
  FROM run;
COMMENT ON VIEW run_v IS 'runs of playbooks as they are now';

CREATE VIEW run_call_v AS
SELECT realm, run, n, fn, step, state, reason, intent_at, outcome_at, args, result FROM run_call ORDER BY realm, run, n;
COMMENT ON VIEW run_call_v IS 'what each run did, call by call';

CREATE VIEW audit_v AS
SELECT realm, seq, at, actor, action, subject, incident, reason, detail, event_seq,
       encode(prev, 'hex') AS prev, encode(hash, 'hex') AS hash
  FROM audit;
COMMENT ON VIEW audit_v IS 'the audit trail, hashes as hex';

CREATE VIEW journal_v AS
SELECT realm, seq, at, kind, actor, source, run, octet_length(body) AS bytes, encode(body_hash, 'hex') AS body_sha256
  FROM journal;
COMMENT ON VIEW journal_v IS 'the journal without its bodies';

CREATE VIEW change_v AS
SELECT realm, at, component, kind, id, author, title, link FROM change;
COMMENT ON VIEW change_v IS 'reported deploys and configuration changes';

CREATE VIEW deadletter_v AS
SELECT realm, n, at, source, place, reason,
       CASE WHEN is_text THEN convert_from(raw, 'UTF8') ELSE encode(raw, 'escape') END AS raw
  FROM deadletter;
COMMENT ON VIEW deadletter_v IS 'refused input';

CREATE VIEW token_v AS
SELECT realm, id, name, role, created_at, created_by, expires_at, revoked_at FROM token;
COMMENT ON VIEW token_v IS 'tokens without their hashes';

CREATE VIEW realm_v AS
SELECT r.name, r.owner, r.epoch, r.lease_until, r.taken_at, p.projected_seq,
       (SELECT max(j.seq) FROM journal j WHERE j.realm = r.name) AS last_seq, p.skipped_rows
  FROM realm r LEFT JOIN projection p ON p.realm = r.name;
COMMENT ON VIEW realm_v IS 'realms: who owns them and how far projections are';

GRANT SELECT ON incident_v, alert_v, timeline_v, cause_v, run_v, run_call_v, audit_v, journal_v, change_v,
    deadletter_v, token_v, realm_v TO faultline_reader, faultline_engine;
