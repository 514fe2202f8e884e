-- SPDX-License-Identifier: GPL-3.0-or-later
-- What the core derived from the journal. Can be rebuilt from it; written by the projector only.
-- Identifiers that senders choose (node ids, change ids) are indexed by hash: a b-tree entry has 2,704 bytes at most.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

CREATE TABLE alert (
    realm          text NOT NULL,
    fingerprint    bigint NOT NULL,
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz,
    received_at    timestamptz,
    updated_at     timestamptz,
    status         text NOT NULL,
    severity       text NOT NULL,
    class          text NOT NULL,
    node           text,
    map_rule       text,
    incident       text,
    source         text,
    generator_url  text,
    labels         jsonb NOT NULL,
    annotations    jsonb NOT NULL,
    why            json,
    PRIMARY KEY (realm, fingerprint, starts_at)
) WITH (fillfactor = 80);
CREATE INDEX alert_incident ON alert USING hash (incident);
CREATE INDEX alert_node ON alert USING hash (node);
CREATE INDEX alert_live ON alert (realm, starts_at DESC) WHERE status <> 'resolved';
CREATE INDEX alert_recent ON alert (realm, starts_at DESC);
COMMENT ON TABLE alert IS 'one row per episode: fingerprint and start';
COMMENT ON COLUMN alert.realm IS 'realm';
COMMENT ON COLUMN alert.fingerprint IS 'Alertmanager fingerprint of the labels, as a signed number; alert_v shows 16 hex digits';
COMMENT ON COLUMN alert.starts_at IS 'start of the episode';
COMMENT ON COLUMN alert.ends_at IS 'when it was resolved, or null';
COMMENT ON COLUMN alert.received_at IS 'when it was first or last reported';
COMMENT ON COLUMN alert.updated_at IS 'time of the event that changed this row last';
COMMENT ON COLUMN alert.status IS 'firing, resolved or stale (silent for longer than its lease)';
COMMENT ON COLUMN alert.severity IS 'by the severity rules';
COMMENT ON COLUMN alert.class IS 'kind of evidence, by the class rules';
COMMENT ON COLUMN alert.node IS 'component it is mapped to; null = unmapped';
COMMENT ON COLUMN alert.map_rule IS 'mapping rule that decided';
COMMENT ON COLUMN alert.incident IS 'incident it belongs to';
COMMENT ON COLUMN alert.source IS 'format it arrived in';
COMMENT ON COLUMN alert.generator_url IS 'link given by the sender';
COMMENT ON COLUMN alert.labels IS 'labels';
COMMENT ON COLUMN alert.annotations IS 'annotations';
COMMENT ON COLUMN alert.why IS 'sentences: the way through the engine so far';

CREATE TABLE incident (
    realm          text NOT NULL,
    id             text NOT NULL,
    title          text NOT NULL,
    state          text NOT NULL,
    severity       text NOT NULL,
    opened_at      timestamptz NOT NULL,
    updated_at     timestamptz,
    last_alert_at  timestamptz,
    resolved_at    timestamptz,
    alerts_total   bigint NOT NULL,
    alerts_firing  bigint NOT NULL,
    alerts_stale   bigint NOT NULL,
    components     bigint NOT NULL,
    cause          text,
    confidence     double precision NOT NULL,
    merged_into    text,
    acked_by       text,
    assignee       text,
    reason         text NOT NULL,
    PRIMARY KEY (realm, id)
) WITH (fillfactor = 70);
CREATE INDEX incident_opened ON incident (realm, opened_at DESC);
COMMENT ON TABLE incident IS 'one row per incident, as it is now';
COMMENT ON COLUMN incident.realm IS 'realm';
COMMENT ON COLUMN incident.id IS 'INC-year-number';
COMMENT ON COLUMN incident.title IS 'for people';
COMMENT ON COLUMN incident.state IS 'open, quiet, recovering, resolved, merged';
COMMENT ON COLUMN incident.severity IS 'worst of its alerts';
COMMENT ON COLUMN incident.opened_at IS 'first alert';
COMMENT ON COLUMN incident.updated_at IS 'time of the event that changed this row last';
COMMENT ON COLUMN incident.last_alert_at IS 'last new alert';
COMMENT ON COLUMN incident.resolved_at IS 'null while it is not over';
COMMENT ON COLUMN incident.alerts_total IS 'episodes that ever belonged to it';
COMMENT ON COLUMN incident.alerts_firing IS 'of them firing now';
COMMENT ON COLUMN incident.alerts_stale IS 'of them stale now';
COMMENT ON COLUMN incident.components IS 'components with an alert';
COMMENT ON COLUMN incident.cause IS 'top cause, null when none is convincing';
COMMENT ON COLUMN incident.confidence IS 'probability of the top cause';
COMMENT ON COLUMN incident.merged_into IS 'incident that took it in';
COMMENT ON COLUMN incident.acked_by IS 'who acknowledged it';
COMMENT ON COLUMN incident.assignee IS 'who works on it';
COMMENT ON COLUMN incident.reason IS 'of the last change of state';

CREATE TABLE timeline (
    realm      text NOT NULL,
    event_seq  bigint NOT NULL,
    n          integer NOT NULL,
    incident   text NOT NULL,
    at         timestamptz NOT NULL,
    kind       text NOT NULL,
    actor      text NOT NULL,
    text       text NOT NULL,
    detail     json,
    PRIMARY KEY (realm, event_seq, n)
);
CREATE INDEX timeline_incident ON timeline USING hash (incident);
COMMENT ON TABLE timeline IS 'what happened to an incident, a line each';
COMMENT ON COLUMN timeline.realm IS 'realm';
COMMENT ON COLUMN timeline.event_seq IS 'journal row that caused it';
COMMENT ON COLUMN timeline.n IS 'number within that event';
COMMENT ON COLUMN timeline.incident IS 'incident';
COMMENT ON COLUMN timeline.at IS 'time of the event';
COMMENT ON COLUMN timeline.kind IS 'opened, joined, merged, ranked, state, run, call, comment, …';
COMMENT ON COLUMN timeline.actor IS 'who';
COMMENT ON COLUMN timeline.text IS 'a sentence';
COMMENT ON COLUMN timeline.detail IS 'the same for programs';

CREATE TABLE ranking (
    realm          text NOT NULL,
    incident       text NOT NULL,
    version        integer NOT NULL,
    at             timestamptz NOT NULL,
    event_seq      bigint NOT NULL,
    model          text NOT NULL,
    rules_hash     bytea NOT NULL,
    topology_hash  bytea NOT NULL,
    ranking        json NOT NULL,
    PRIMARY KEY (realm, incident, version)
);
COMMENT ON TABLE ranking IS 'every ranking of causes ever made for an incident';
COMMENT ON COLUMN ranking.realm IS 'realm';
COMMENT ON COLUMN ranking.incident IS 'incident';
COMMENT ON COLUMN ranking.version IS '1, 2, … within the incident';
COMMENT ON COLUMN ranking.at IS 'time of the event that caused it';
COMMENT ON COLUMN ranking.event_seq IS 'journal row that caused it';
COMMENT ON COLUMN ranking.model IS 'weights used';
COMMENT ON COLUMN ranking.rules_hash IS 'version of the rules used';
COMMENT ON COLUMN ranking.topology_hash IS 'version of the topology used';
COMMENT ON COLUMN ranking.ranking IS 'candidates with their evidence';

CREATE TABLE run (
    realm          text NOT NULL,
    id             text NOT NULL,
    incident       text,
    playbook       text NOT NULL,
    version        text NOT NULL,
    playbook_hash  bytea NOT NULL,
    state          text NOT NULL,
    requested_by   text,
    approved_by    text,
    approval       text NOT NULL,
    params         json,
    ctx            json,
    reason         text NOT NULL,
    result         json,
    created_at     timestamptz,
    started_at     timestamptz,
    ended_at       timestamptz,
    deadline       timestamptz,
    approve_by     timestamptz,
    recoveries     integer NOT NULL,
    PRIMARY KEY (realm, id)
) WITH (fillfactor = 70);
CREATE INDEX run_incident ON run USING hash (incident);
CREATE INDEX run_created ON run (realm, created_at DESC);
COMMENT ON TABLE run IS 'one row per run of a playbook, as it is now';
COMMENT ON COLUMN run.realm IS 'realm';
COMMENT ON COLUMN run.id IS 'RUN-year-number';
COMMENT ON COLUMN run.incident IS 'incident it was started for';
COMMENT ON COLUMN run.playbook IS 'name of the playbook';
COMMENT ON COLUMN run.version IS 'its declared version';
COMMENT ON COLUMN run.playbook_hash IS 'SHA-256 of its text: a run keeps the text it began with';
COMMENT ON COLUMN run.state IS 'proposed, running, in_doubt, verifying, or how it ended';
COMMENT ON COLUMN run.requested_by IS 'who asked for it';
COMMENT ON COLUMN run.approved_by IS 'who approved it';
COMMENT ON COLUMN run.approval IS 'required or none';
COMMENT ON COLUMN run.params IS 'parameters';
COMMENT ON COLUMN run.ctx IS 'what the playbook was told';
COMMENT ON COLUMN run.reason IS 'of the last change of state';
COMMENT ON COLUMN run.result IS 'what it returned';
COMMENT ON COLUMN run.created_at IS 'proposed or started';
COMMENT ON COLUMN run.started_at IS 'first start of a worker';
COMMENT ON COLUMN run.ended_at IS 'null while it is not over';
COMMENT ON COLUMN run.deadline IS 'after it the run is stopped';
COMMENT ON COLUMN run.approve_by IS 'after it the request expires';
COMMENT ON COLUMN run.recoveries IS 'how often it was continued after a crash';

CREATE TABLE run_call (
    realm       text NOT NULL,
    run         text NOT NULL,
    n           integer NOT NULL,
    fn          text NOT NULL,
    step        text,
    args        json,
    args_hash   bytea NOT NULL,
    state       text NOT NULL,
    result      json,
    reason      text NOT NULL,
    intent_at   timestamptz,
    outcome_at  timestamptz,
    PRIMARY KEY (realm, run, n)
) WITH (fillfactor = 70);
COMMENT ON TABLE run_call IS 'every host call of a run: its intent is committed before it acts';
COMMENT ON COLUMN run_call.realm IS 'realm';
COMMENT ON COLUMN run_call.run IS 'run';
COMMENT ON COLUMN run_call.n IS 'number within the run';
COMMENT ON COLUMN run_call.fn IS 'host function';
COMMENT ON COLUMN run_call.step IS 'named step it is part of';
COMMENT ON COLUMN run_call.args IS 'arguments, secrets by name only';
COMMENT ON COLUMN run_call.args_hash IS 'SHA-256 of the canonical arguments';
COMMENT ON COLUMN run_call.state IS 'intent, done, failed, denied, in_doubt';
COMMENT ON COLUMN run_call.result IS 'what came back';
COMMENT ON COLUMN run_call.reason IS 'why it was denied, failed or settled';
COMMENT ON COLUMN run_call.intent_at IS 'when it was decided';
COMMENT ON COLUMN run_call.outcome_at IS 'when the outcome was recorded';

CREATE TABLE change (
    realm      text NOT NULL,
    event_seq  bigint NOT NULL,
    n          integer NOT NULL,
    at         timestamptz NOT NULL,
    component  text NOT NULL,
    kind       text NOT NULL,
    id         text NOT NULL,
    author     text,
    title      text,
    link       text,
    detail     text,
    PRIMARY KEY (realm, event_seq, n)
);
CREATE INDEX change_at ON change (realm, at DESC);
CREATE INDEX change_component ON change USING hash (component);
COMMENT ON TABLE change IS 'deploys, flag flips and configuration changes that were reported';
COMMENT ON COLUMN change.realm IS 'realm';
COMMENT ON COLUMN change.event_seq IS 'journal row it came with';
COMMENT ON COLUMN change.n IS 'number within that event';
COMMENT ON COLUMN change.at IS 'when it happened';
COMMENT ON COLUMN change.component IS 'what was changed';
COMMENT ON COLUMN change.kind IS 'deploy, flag, config, …';
COMMENT ON COLUMN change.id IS 'the sender''s id';
COMMENT ON COLUMN change.author IS 'who';
COMMENT ON COLUMN change.title IS 'for people';
COMMENT ON COLUMN change.link IS 'where to read more';
COMMENT ON COLUMN change.detail IS 'anything else';

-- ---- topology, bitemporal -------------------------------------------------------------------------------
-- true_*: when it held in the world; known_*: when we believed that. What was believed at T about T:
-- known_from <= T < known_until and true_from <= T < true_until.
CREATE TABLE topology (
    realm      text NOT NULL,
    event_seq  bigint NOT NULL,
    at         timestamptz NOT NULL,
    hash       bytea NOT NULL,
    nodes      bigint NOT NULL,
    edges      bigint NOT NULL,
    PRIMARY KEY (realm, event_seq)
);
COMMENT ON TABLE topology IS 'versions of the dependency graph';
COMMENT ON COLUMN topology.realm IS 'realm';
COMMENT ON COLUMN topology.event_seq IS 'journal row it came with';
COMMENT ON COLUMN topology.at IS 'when';
COMMENT ON COLUMN topology.hash IS 'SHA-256 of its canonical text';
COMMENT ON COLUMN topology.nodes IS 'how many nodes';
COMMENT ON COLUMN topology.edges IS 'how many edges';

CREATE TABLE node (
    realm        text NOT NULL,
    id_hash      bytea NOT NULL,
    hash         bytea NOT NULL,
    id           text NOT NULL,
    type         text NOT NULL,
    service      text,
    host         text,
    tier         text,
    owner        text,
    labels       jsonb NOT NULL,
    true_from    timestamptz NOT NULL,
    true_until   timestamptz NOT NULL DEFAULT 'infinity',
    known_from   timestamptz NOT NULL,
    known_until  timestamptz NOT NULL DEFAULT 'infinity'
);
CREATE UNIQUE INDEX node_current ON node (realm, id_hash) WHERE true_until = 'infinity' AND known_until = 'infinity';
CREATE INDEX node_known ON node (realm, known_from, known_until);
COMMENT ON TABLE node IS 'components, bitemporal';
COMMENT ON COLUMN node.realm IS 'realm';
COMMENT ON COLUMN node.id_hash IS 'SHA-256 of id';
COMMENT ON COLUMN node.hash IS 'SHA-256 of everything said about it: tells whether it changed';
COMMENT ON COLUMN node.id IS 'id';
COMMENT ON COLUMN node.type IS 'service, instance, host, store, queue, gateway, external, …';
COMMENT ON COLUMN node.service IS 'service it counts as';
COMMENT ON COLUMN node.host IS 'host it runs on';
COMMENT ON COLUMN node.tier IS 'tier';
COMMENT ON COLUMN node.owner IS 'team';
COMMENT ON COLUMN node.labels IS 'labels';
COMMENT ON COLUMN node.true_from IS 'held from';
COMMENT ON COLUMN node.true_until IS 'held until';
COMMENT ON COLUMN node.known_from IS 'believed from';
COMMENT ON COLUMN node.known_until IS 'believed until';

CREATE TABLE edge (
    realm        text NOT NULL,
    id_hash      bytea NOT NULL,
    hash         bytea NOT NULL,
    from_id      text NOT NULL,
    to_id        text NOT NULL,
    type         text NOT NULL,
    weight       double precision NOT NULL,
    true_from    timestamptz NOT NULL,
    true_until   timestamptz NOT NULL DEFAULT 'infinity',
    known_from   timestamptz NOT NULL,
    known_until  timestamptz NOT NULL DEFAULT 'infinity'
);
CREATE UNIQUE INDEX edge_current ON edge (realm, id_hash) WHERE true_until = 'infinity' AND known_until = 'infinity';
CREATE INDEX edge_known ON edge (realm, known_from, known_until);
COMMENT ON TABLE edge IS 'dependencies, bitemporal: from_id needs to_id';
COMMENT ON COLUMN edge.realm IS 'realm';
COMMENT ON COLUMN edge.id_hash IS 'SHA-256 of from, to and type';
COMMENT ON COLUMN edge.hash IS 'SHA-256 of everything said about it';
COMMENT ON COLUMN edge.from_id IS 'who needs';
COMMENT ON COLUMN edge.to_id IS 'what is needed';
COMMENT ON COLUMN edge.type IS 'calls, data, has_instance, runs_on, registers_with, …';
COMMENT ON COLUMN edge.weight IS 'strength';
COMMENT ON COLUMN edge.true_from IS 'held from';
COMMENT ON COLUMN edge.true_until IS 'held until';
COMMENT ON COLUMN edge.known_from IS 'believed from';
COMMENT ON COLUMN edge.known_until IS 'believed until';

GRANT SELECT, INSERT, UPDATE ON alert, incident, run, run_call, node, edge TO faultline_engine;
GRANT SELECT, INSERT ON timeline, ranking, change, topology TO faultline_engine;
GRANT SELECT ON alert, incident, run, run_call, node, edge, timeline, ranking, change, topology TO faultline_reader;
