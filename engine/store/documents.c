/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/documents.c -- JSON documents built in SQL, one statement each; contract in <faultline/store.h>.
 * json, not jsonb: stored JSON keeps its bytes, keys keep their order. */
#include "reader_priv.h"

#include <string.h>

/* Parameters of all: $1 realm, $2 id, $3 text, $4 state, $5 since, $6 until, $7 limit, $8 offset, $9 fingerprint. */
#define ARGS                                                                                                                        \
    "WITH RECURSIVE q AS (SELECT $1::text AS realm, $2::text AS id, $3::text AS text, $4::text AS state, $5::timestamptz AS since," \
    " $6::timestamptz AS until, $7::bigint AS lim, $8::bigint AS off, $9::bigint AS fp) "
#define LIST(inner) LIST_OF("", inner)
#define LIST_OF(with, inner) \
    ARGS with "SELECT coalesce(json_agg(x.doc ORDER BY x.o), '[]'::json)::text FROM (" inner ") x"

#define HEX(col) "encode(" col ", 'hex')"
#define INCIDENT                                                                                                 \
    "'id', i.id, 'title', i.title, 'state', i.state, 'severity', i.severity, 'opened_at', rfc3339(i.opened_at)," \
    " 'updated_at', rfc3339(i.updated_at), 'last_alert_at', rfc3339(i.last_alert_at),"                           \
    " 'resolved_at', rfc3339(i.resolved_at), 'alerts_total', i.alerts_total, 'alerts_firing', i.alerts_firing,"  \
    " 'alerts_stale', i.alerts_stale, 'components', i.components, 'cause', i.cause,"                             \
    " 'confidence', round(i.confidence::numeric, 6), 'merged_into', i.merged_into, 'acked_by', i.acked_by,"      \
    " 'assignee', i.assignee, 'reason', i.reason"
/* An alert's texts are in its row or packed with those of others (schema 0020): x.o of row a. As a subquery, so that they are
 * unpacked once, and only of the rows that are shown. */
#define TEXTS                                                                                                \
    " LEFT JOIN LATERAL (SELECT convert_from(substr(t.body, a.text_at, a.text_len), 'UTF8')::json AS o FROM" \
    "  alert_text t WHERE t.seq = a.text_seq AND t.n = a.text_n AND t.realm = a.realm AND a.labels IS NULL"  \
    "  OFFSET 0) x ON true"
#define ALERTNAME(a) "coalesce(" a ".labels ->> 'alertname', " a ".rule)"
#define ALERT                                                                                                                \
    "json_build_object('fingerprint', lpad(to_hex(a.fingerprint), 16, '0'), 'alertname', " ALERTNAME(                        \
        "a") ","                                                                                                             \
             " 'status', a.status, 'severity', a.severity, 'class', a.class, 'node', a.node, 'map_rule', a.map_rule,"        \
             " 'incident', a.incident, 'starts_at', rfc3339(a.starts_at), 'ends_at', rfc3339(a.ends_at),"                    \
             " 'received_at', rfc3339(a.received_at), 'updated_at', rfc3339(a.updated_at), 'source', a.source,"              \
             " 'generator_url', coalesce(a.generator_url, x.o ->> 'generator_url'),"                                         \
             " 'labels', coalesce(a.labels, (x.o -> 'labels')::jsonb),"                                                      \
             " 'annotations', coalesce(a.annotations, (x.o -> 'annotations')::jsonb), 'why', coalesce(a.why, x.o -> 'why')," \
             " 'silenced_by', coalesce(a.silenced_by, '[]'::json), 'inhibited_by', coalesce(a.inhibited_by, '[]'::json),"    \
             " 'quiet', a.quiet)"
#define SILENCE                                                                                               \
    "json_build_object('id', s.id, 'created_by', s.created_by, 'comment', s.comment, 'matchers', s.matchers," \
    " 'starts_at', rfc3339(s.starts_at), 'ends_at', rfc3339(s.ends_at), 'updated_at', rfc3339(s.updated_at))"
#define QUIET                                                                                                       \
    "'kind', z.kind, 'id', z.id, 'state', z.state, 'created_by', z.created_by, 'comment', z.comment,"               \
    " 'starts_at', rfc3339(z.starts_at), 'ends_at', rfc3339(z.ends_at), 'updated_at', rfc3339(z.updated_at),"       \
    " 'hidden', z.hidden, 'critical', z.critical, 'reminders', z.reminders, 'reminded_at', rfc3339(z.reminded_at)," \
    " 'reminder', z.reminder, 'definition', z.definition"
#define RUN                                                                                                                              \
    "'id', r.id, 'incident', r.incident, 'playbook', r.playbook, 'version', r.version, 'playbook_hash', " HEX(                           \
        "r.playbook_hash") ", 'state', r.state, 'requested_by', r.requested_by, 'approved_by', r.approved_by,"                           \
                           " 'approval', r.approval, 'params', r.params, 'ctx', r.ctx, 'reason', r.reason, 'result', r.result,"          \
                           " 'created_at', rfc3339(r.created_at), 'started_at', rfc3339(r.started_at), 'ended_at', rfc3339(r.ended_at)," \
                           " 'deadline', rfc3339(r.deadline), 'approve_by', rfc3339(r.approve_by), 'recoveries', r.recoveries"
#define CALL                                                                                                            \
    "json_build_object('n', c.n, 'fn', c.fn, 'step', c.step, 'args', c.args, 'args_hash', " HEX(                        \
        "c.args_hash") ", 'state', c.state, 'result', c.result, 'reason', c.reason, 'intent_at', rfc3339(c.intent_at)," \
                       " 'outcome_at', rfc3339(c.outcome_at))"
#define NO_RETRY                                                                                                      \
    "CASE WHEN d.cut THEN 'only its first part was kept, it is too long for a letter: have the sender send it again'" \
    " WHEN octet_length(d.raw) = 0 THEN 'its body was not kept, it may have held a credential: have the sender send it again' END"
#define LETTER                                                                                                   \
    "json_build_object('n', d.n, 'at', rfc3339(d.at), 'source', d.source, 'where', d.place, 'reason', d.reason," \
    " 'kept', CASE WHEN d.cut THEN 'part' WHEN octet_length(d.raw) = 0 THEN 'nothing' WHEN d.whole THEN 'body'"  \
    " ELSE 'element' END, 'no_retry', " NO_RETRY                                                                 \
    ", 'bytes', d.bytes, 'tries', d.tries, 'tried_at', rfc3339(d.tried_at))"
#define KNOWN(t)                                                                                      \
    "((q.until IS NULL AND " t ".true_until = 'infinity' AND " t                                      \
    ".known_until = 'infinity') OR (q.until IS NOT NULL"                                              \
    " AND " t ".known_from <= q.until AND q.until < " t ".known_until AND " t ".true_from <= q.until" \
    " AND q.until < " t ".true_until))"
/* Verdicts that tell how a model did: as the live one, and as the shadow. r: see verdict.rank. */
#define JUDGED                                                                                                                    \
    "(SELECT v.realm, v.at, v.model, 'live' AS role, v.rank AS r FROM verdict v WHERE v.model IS NOT NULL AND v.rank IS NOT NULL" \
    " UNION ALL SELECT v.realm, v.at, v.shadow_model, 'shadow', v.shadow_rank FROM verdict v"                                     \
    " WHERE v.shadow_model IS NOT NULL AND v.shadow_rank IS NOT NULL)"
#define SINCE(t) "(q.since IS NULL OR " t ".at >= q.since) AND (q.until IS NULL OR " t ".at < q.until)"
#define HITS                                                                                                        \
    "'verdicts', count(*), 'right1', count(*) FILTER (WHERE j.r = 1), 'known3', count(*) FILTER (WHERE j.r <> -2)," \
    " 'right3', count(*) FILTER (WHERE j.r BETWEEN 1 AND 3)"
/* A shadow against the live model on the same incidents, of `where`; one may be better by luck, so the difference of
 * "the first was right" has a 95 % interval: Bonett and Price (2012), Wald's for paired proportions with one incident
 * more on either side, which holds with few of them, too. d = (b - w) / (n + 2), b + 1 and w + 1 of n + 2 disagree. */
#define PAIRED_D "(1.0 * (c.better - c.worse) / (c.n + 2))"
#define PAIRED_MARGIN \
    "(1.96 * sqrt(((c.better + c.worse + 2.0) / (c.n + 2) - " PAIRED_D " * " PAIRED_D ") / (c.n + 2)))"
#define PAIRS(where)                                                                                                  \
    "(SELECT coalesce(json_agg(json_build_object('live', c.model, 'shadow', c.shadow_model, 'verdicts', c.n,"         \
    " 'live_right1', c.live1, 'shadow_right1', c.shadow1, 'live_right3', c.live3, 'shadow_right3', c.shadow3,"        \
    " 'better', c.better, 'worse', c.worse, 'difference', round(1.0 * (c.better - c.worse) / c.n, 4),"                \
    " 'low', round(greatest(" PAIRED_D " - " PAIRED_MARGIN ", -1)::numeric, 4),"                                      \
    " 'high', round(least(" PAIRED_D " + " PAIRED_MARGIN                                                              \
    ", 1)::numeric, 4)) ORDER BY c.model, c.shadow_model), '[]'::json)"                                               \
    " FROM (SELECT v.model, v.shadow_model, count(*) AS n, count(*) FILTER (WHERE v.rank = 1) AS live1,"              \
    " count(*) FILTER (WHERE v.shadow_rank = 1) AS shadow1, count(*) FILTER (WHERE v.rank BETWEEN 1 AND 3) AS live3," \
    " count(*) FILTER (WHERE v.shadow_rank BETWEEN 1 AND 3) AS shadow3,"                                              \
    " count(*) FILTER (WHERE v.shadow_rank = 1 AND v.rank <> 1) AS better,"                                           \
    " count(*) FILTER (WHERE v.shadow_rank <> 1 AND v.rank = 1) AS worse FROM verdict v"                              \
    " WHERE v.rank >= 0 AND v.shadow_rank >= 0 AND " where " GROUP BY v.model, v.shadow_model) c)"
#define MODEL                                                                                                            \
    "'id', m.id, 'hash', m.hash, 'state', m.state, 'origin', m.origin, 'note', m.note, 'added_at', rfc3339(m.added_at)," \
    " 'added_by', m.added_by, 'as_live', (SELECT json_build_object(" HITS ") FROM " JUDGED                               \
    " j WHERE j.realm = m.realm AND j.model = m.id AND j.role = 'live'),"                                                \
    " 'as_shadow', (SELECT json_build_object(" HITS ") FROM " JUDGED                                                     \
    " j WHERE j.realm = m.realm AND j.model = m.id AND j.role = 'shadow'),"                                              \
    " 'pairs', " PAIRS("v.realm = m.realm AND m.id IN (v.model, v.shadow_model)")
/* The incident and all that ended in it. */
#define ABSORBED                                                                                                 \
    ", absorbed AS (SELECT q.id FROM q UNION SELECT i.id FROM incident i, absorbed a, q WHERE i.realm = q.realm" \
    " AND i.merged_into = a.id) "
/* Fingerprints of which at most three hexadecimal digits differ: of each digit one bit is left, then they are counted. */
#define DIGITS_APART(x) \
    "bit_count(((" x " | (" x " >> 1) | (" x " >> 2) | (" x " >> 3)) & 1229782938247303441)::bit(64))"
#define PAGE " LIMIT (SELECT lim FROM q) OFFSET (SELECT off FROM q)"

/* Reports and episodes meet by their key; a report that opened no episode told nothing new. */
#define NOISE_KEY(t) \
    "CASE q.state WHEN 'team' THEN " t ".team WHEN 'source' THEN " t ".source ELSE " t ".rule END"
#define NOISE_SUMS                                                                                           \
    "'reports', sum(g.reports), 'alerts', sum(g.alerts), 'repeats', sum(greatest(g.reports - g.alerts, 0))," \
    " 'silenced', sum(g.silenced), 'inhibited', sum(g.inhibited), 'held', sum(g.held), 'in_incident', sum(g.joined)"
#define NOISE                                                                                                                   \
    ", since AS (SELECT coalesce(q.since, now() - interval '7 days') AS t FROM q),"                                             \
    " e AS (SELECT " NOISE_KEY(                                                                                                 \
        "v") " AS key, v.kept, v.incident FROM alert_noise_v v, q, since s WHERE v.realm = q.realm AND v.starts_at >= s.t),"    \
             " ep AS (SELECT key, count(*) AS alerts, count(*) FILTER (WHERE kept = 'silenced') AS silenced,"                   \
             " count(*) FILTER (WHERE kept = 'inhibited') AS inhibited, count(*) FILTER (WHERE kept = 'held') AS held,"         \
             " count(incident) AS joined, count(DISTINCT incident) AS incidents FROM e GROUP BY key),"                          \
             " rp AS (SELECT " NOISE_KEY(                                                                                       \
                 "r") " AS key, sum(r.reports) AS reports FROM alert_report r, q, since s WHERE r.realm = q.realm"              \
                      " AND r.hour >= date_trunc('hour', s.t, 'UTC') GROUP BY 1),"                                              \
                      " g AS (SELECT key, coalesce(rp.reports, 0) AS reports, coalesce(ep.alerts, 0) AS alerts,"                \
                      " coalesce(ep.silenced, 0) AS silenced, coalesce(ep.inhibited, 0) AS inhibited,"                          \
                      " coalesce(ep.held, 0) AS held, coalesce(ep.joined, 0) AS joined, coalesce(ep.incidents, 0) AS incidents" \
                      " FROM ep FULL JOIN rp USING (key))"                                                                      \
                      " SELECT json_build_object('since', rfc3339(s.t), 'by', coalesce(q.state, 'rule'), 'total',"              \
                      " (SELECT json_build_object(" NOISE_SUMS                                                                  \
                      ", 'incidents', (SELECT count(*) FROM incident i"                                                         \
                      " WHERE i.realm = q.realm AND i.opened_at >= s.t)) FROM g), 'groups', (SELECT"                            \
                      " coalesce(json_agg(json_build_object('key', x.key, 'reports', x.reports, 'alerts', x.alerts, 'repeats'," \
                      " greatest(x.reports - x.alerts, 0), 'silenced', x.silenced, 'inhibited', x.inhibited, 'held', x.held,"   \
                      " 'in_incident', x.joined, 'incidents', x.incidents) ORDER BY x.alerts DESC, x.reports DESC, x.key),"     \
                      " '[]'::json) FROM (SELECT * FROM g ORDER BY alerts DESC, reports DESC, key" PAGE                         \
                      ") x))::text FROM q, since s"

static const char *const documents[] = {
    [FL_READ_INCIDENTS] = LIST(
        "SELECT json_build_object(" INCIDENT
        ") AS doc, row_number() OVER (ORDER BY i.opened_at DESC, i.id DESC) AS o"
        " FROM incident i, q WHERE i.realm = q.realm AND (q.state IS NULL OR i.state = q.state"
        "  OR (q.state = 'open' AND i.state NOT IN ('resolved', 'merged')))"
        " AND (q.since IS NULL OR i.opened_at >= q.since) AND (q.until IS NULL OR i.opened_at < q.until)"
        " ORDER BY i.opened_at DESC, i.id DESC" PAGE),
    [FL_READ_INCIDENT] = ARGS
    "SELECT json_build_object(" INCIDENT ","
    " 'alerts', (SELECT coalesce(json_agg(" ALERT " ORDER BY a.starts_at, a.fingerprint), '[]'::json) FROM"
    "   (SELECT * FROM alert b WHERE b.realm = i.realm AND b.incident = i.id ORDER BY b.starts_at, b.fingerprint LIMIT 10000) a" TEXTS
    "),"
    " 'ranking', (SELECT k.ranking FROM ranking k WHERE k.realm = i.realm AND k.incident = i.id ORDER BY k.version DESC LIMIT 1),"
    " 'ranked', (SELECT json_build_object('version', k.version, 'at', rfc3339(k.at), 'model', k.model,"
    "   'topology_hash', " HEX(
        "k.topology_hash") ") FROM ranking k WHERE k.realm = i.realm AND k.incident = i.id"
                           "   ORDER BY k.version DESC LIMIT 1),"
                           " 'runs', (SELECT coalesce(json_agg(json_build_object(" RUN
                           ") ORDER BY r.created_at, r.id), '[]'::json)"
                           "   FROM run r WHERE r.realm = i.realm AND r.incident = i.id))::text"
                           " FROM incident i, q WHERE i.realm = q.realm AND i.id = q.id",
    [FL_READ_TIMELINE] = LIST_OF(
        ABSORBED,
        "SELECT json_build_object('event_seq', t.event_seq, 'n', t.n, 'incident', t.incident, 'at', rfc3339(t.at),"
        " 'kind', t.kind, 'actor', t.actor, 'text', t.text, 'detail', t.detail) AS doc,"
        " row_number() OVER (ORDER BY t.event_seq, t.n) AS o FROM timeline t, q WHERE t.realm = q.realm"
        /* Read as a whole, a long one loses lines about single alerts first, not how it ended. */
        " AND t.incident IN (SELECT id FROM absorbed)"
        " ORDER BY (q.text IS NOT NULL AND t.kind LIKE 'alert.%'), t.event_seq, t.n" PAGE),
    [FL_READ_RANKING] = ARGS
    "SELECT json_build_object('incident', k.incident, 'version', k.version, 'at', rfc3339(k.at), 'event_seq', k.event_seq,"
    " 'model', k.model, 'rules_hash', " HEX("k.rules_hash") ", 'topology_hash', " HEX(
        "k.topology_hash") ", 'shadow', k.shadow, 'ranking', k.ranking)::text FROM ranking k, q WHERE k.realm = q.realm AND k.incident = q.id"
                           " AND (q.off = 0 OR k.version = q.off) ORDER BY k.version DESC LIMIT 1",
    /* The page first: a sort or an offset would unpack the texts of all that is passed. */
    [FL_READ_ALERTS] = LIST(
        "SELECT " ALERT
        " AS doc, row_number() OVER (ORDER BY a.starts_at DESC, a.fingerprint) AS o FROM (SELECT a.* FROM q, alert a"
        " WHERE a.realm = q.realm AND (q.text IS NULL OR a.incident = q.text)"
        " AND (q.state IS NULL OR a.status = q.state OR (q.state = 'unmapped' AND a.node IS NULL))"
        " AND (q.since IS NULL OR a.starts_at >= q.since) AND (q.until IS NULL OR a.starts_at < q.until)"
        " ORDER BY a.starts_at DESC, a.fingerprint" PAGE ") a" TEXTS),
    [FL_READ_ALERT] = LIST(
        "SELECT " ALERT " AS doc, row_number() OVER (ORDER BY a.starts_at DESC) AS o FROM q, alert a" TEXTS
        " WHERE a.realm = q.realm AND a.fingerprint = q.fp AND (q.until IS NULL OR a.starts_at <= q.until)"
        " ORDER BY a.starts_at DESC" PAGE),
    [FL_READ_NEAR] = ARGS
    "SELECT json_build_object('near', (SELECT coalesce(json_agg(json_build_object('fingerprint',"
    " lpad(to_hex(n.fingerprint), 16, '0'), 'alertname', n.name) ORDER BY n.apart, n.fingerprint), '[]'::json) FROM"
    " (SELECT a.fingerprint, max(a.name) AS name, " DIGITS_APART(
        "(a.fingerprint # q.fp)") " AS apart FROM"
                                  "   (SELECT b.fingerprint, " ALERTNAME(
                                      "b") " AS name FROM alert b WHERE b.realm = q.realm ORDER BY b.starts_at DESC LIMIT 100000) a"
                                           "   WHERE " DIGITS_APART(
                                               "(a.fingerprint # q.fp)") " <= 3 GROUP BY a.fingerprint ORDER BY 3, 1 LIMIT 5) n),"
                                                                         " 'deadletters', (SELECT count(*) FROM deadletter d WHERE d.realm = q.realm))::text FROM q",
    [FL_READ_SILENCES] = LIST(
        "SELECT " SILENCE " AS doc, row_number() OVER (ORDER BY s.ends_at DESC, s.id) AS o FROM silence s, q"
        " WHERE s.realm = q.realm AND (q.since IS NULL OR s.ends_at >= q.since) ORDER BY s.ends_at DESC, s.id" PAGE),
    [FL_READ_SILENCE] = ARGS "SELECT " SILENCE
                             "::text FROM silence s, q WHERE s.realm = q.realm AND s.id = q.id",
    [FL_READ_MODELS] = LIST(
        "SELECT json_build_object(" MODEL
        ") AS doc, row_number() OVER (ORDER BY m.state = 'live' DESC, m.state = 'shadow' DESC, m.added_at DESC, m.id) AS o"
        " FROM model_v m, q WHERE m.realm = q.realm"
        " ORDER BY m.state = 'live' DESC, m.state = 'shadow' DESC, m.added_at DESC, m.id" PAGE),
    [FL_READ_MODEL] = ARGS
    "SELECT json_build_object(" MODEL
    ", 'uses', (SELECT coalesce(json_agg(json_build_object('at', rfc3339(u.at),"
    " 'as', CASE u.live WHEN m.id THEN 'live' ELSE 'shadow' END, 'actor', u.actor, 'reason', u.reason) ORDER BY u.event_seq"
    " DESC), '[]'::json) FROM (SELECT * FROM model_use x WHERE x.realm = m.realm AND (x.live = m.id OR x.shadow = m.id)"
    " ORDER BY x.event_seq DESC LIMIT 20) u), 'model', m.text)::text FROM model_v m, q WHERE m.realm = q.realm AND m.id = q.id",
    [FL_READ_MODEL_EVALUATION] = ARGS
    "SELECT json_build_object("
    " 'verdicts', (SELECT count(*) FROM verdict v WHERE v.realm = q.realm AND " SINCE(
        "v") "),"
             " 'models', (SELECT coalesce(json_agg(x.doc ORDER BY x.role, x.model), '[]'::json) FROM (SELECT j.role, j.model,"
             "   json_build_object('model', j.model, 'role', j.role, " HITS ") AS doc FROM " JUDGED
             " j WHERE j.realm = q.realm AND " SINCE(
                 "j") " GROUP BY j.role, j.model) x),"
                      " 'pairs', " PAIRS("v.realm = q.realm AND " SINCE(
                          "v")) ","
                                " 'reliability', (SELECT coalesce(json_agg(x.doc ORDER BY x.bin), '[]'::json) FROM (SELECT"
                                "   least(floor(v.confidence * 10), 9)::int AS bin, json_build_object('from', least(floor(v.confidence * 10), 9)::int / 10.0,"
                                "   'to', (least(floor(v.confidence * 10), 9)::int + 1) / 10.0, 'rankings', count(*),"
                                "   'said', round(avg(v.confidence)::numeric, 3), 'right', round(avg((v.rank = 1)::int)::numeric, 3)) AS doc"
                                "   FROM verdict v WHERE v.realm = q.realm AND v.rank IS NOT NULL AND v.version > 0 AND " SINCE(
                                    "v") " GROUP BY 1) x),"
                                         " 'unconvincing', (SELECT json_build_object('rankings', count(*), 'right1', count(*) FILTER (WHERE v.rank = 1))"
                                         "   FROM verdict v WHERE v.realm = q.realm AND v.rank IS NOT NULL AND v.version > 0 AND NOT v.convincing AND " SINCE(
                                             "v") "))::text FROM q",
    [FL_READ_MAINTENANCE] = LIST(
        "SELECT json_build_object('id', m.id, 'state', m.state, 'next_at', rfc3339(m.next_at), 'created_by', m.created_by,"
        " 'window', m.definition, 'updated_at', rfc3339(m.updated_at)) AS doc,"
        " row_number() OVER (ORDER BY m.state = 'ended', m.updated_at DESC, m.id) AS o FROM maintenance m, q"
        " WHERE m.realm = q.realm AND (CASE WHEN q.state IS NULL THEN m.state <> 'ended' ELSE q.state IN ('all', m.state) END)"
        " ORDER BY m.state = 'ended', m.updated_at DESC, m.id" PAGE),
    [FL_READ_QUIET] = LIST(
        "SELECT json_build_object(" QUIET ") AS doc,"
        " row_number() OVER (ORDER BY z.reminder IS NULL, z.hidden DESC, z.kind, z.id) AS o FROM quiet_v z, q"
        " WHERE z.realm = q.realm"
        " AND (CASE WHEN q.state IS NULL THEN z.state NOT IN ('expired', 'ended') ELSE q.state IN ('all', z.state) END)"
        " ORDER BY z.reminder IS NULL, z.hidden DESC, z.kind, z.id" PAGE),
    [FL_READ_QUIET_ONE] = ARGS
    "SELECT json_build_object(" QUIET ", 'alerts', (SELECT coalesce(json_agg(" ALERT
    " ORDER BY a.starts_at, a.fingerprint),"
    " '[]'::json) FROM (SELECT b.* FROM alert b WHERE b.realm = z.realm AND b.status = 'firing' AND b.silenced_by IS NOT NULL"
    "   AND EXISTS (SELECT FROM json_array_elements_text(b.silenced_by) x(id) WHERE x.id = z.id)"
    "   ORDER BY b.starts_at, b.fingerprint LIMIT 1000) a" TEXTS
    "))::text FROM quiet_v z, q WHERE z.realm = q.realm AND z.id = q.id",
    [FL_READ_RUNS] = LIST(
        "SELECT json_build_object(" RUN
        ") AS doc, row_number() OVER (ORDER BY r.created_at DESC, r.id DESC) AS o"
        " FROM run r, q WHERE r.realm = q.realm AND (q.state IS NULL OR r.state = q.state)"
        " AND (q.text IS NULL OR r.incident = q.text) AND (q.since IS NULL OR r.created_at >= q.since)"
        " AND (q.until IS NULL OR r.created_at < q.until) ORDER BY r.created_at DESC, r.id DESC" PAGE),
    [FL_READ_RUN] = ARGS
    "SELECT json_build_object(" RUN ", 'calls', (SELECT coalesce(json_agg(" CALL " ORDER BY c.n), '[]'::json)"
    " FROM run_call c WHERE c.realm = r.realm AND c.run = r.id))::text FROM run r, q WHERE r.realm = q.realm AND r.id = q.id",
    [FL_READ_TOPOLOGY] = ARGS
    "SELECT json_build_object('nodes', (SELECT coalesce(json_agg(json_strip_nulls(json_build_object('id', n.id, 'type', n.type,"
    " 'service', n.service, 'host', n.host, 'tier', n.tier, 'owner', n.owner, 'labels', n.labels)) ORDER BY n.id), '[]'::json)"
    " FROM node n WHERE n.realm = q.realm AND " KNOWN(
        "n") "),"
             " 'edges', (SELECT coalesce(json_agg(json_build_object('from', e.from_id, 'to', e.to_id, 'type', e.type,"
             " 'weight', e.weight) ORDER BY e.from_id, e.to_id, e.type), '[]'::json) FROM edge e WHERE e.realm = q.realm AND " KNOWN(
                 "e") "),"
                      " 'hash', " HEX(
                          "t.hash") ", 'at', rfc3339(t.at), 'event_seq', t.event_seq)::text FROM q,"
                                    " LATERAL (SELECT * FROM topology v WHERE v.realm = q.realm AND (q.until IS NULL OR v.at <= q.until)"
                                    " ORDER BY v.event_seq DESC LIMIT 1) t",
    [FL_READ_DEADLETTERS] = ARGS
    "SELECT json_build_object('deadletters', (SELECT coalesce(json_agg(" LETTER
    " ORDER BY d.n DESC), '[]'::json) FROM"
    "  (SELECT e.* FROM deadletter e WHERE e.realm = q.realm AND (q.text IS NULL OR e.source = q.text)"
    "   AND (q.since IS NULL OR e.at >= q.since) AND (q.until IS NULL OR e.at < q.until) ORDER BY e.n DESC" PAGE
    ") d), 'held', h.held, 'bytes', h.held_bytes, 'dropped', h.dropped, 'max', 100000, 'max_bytes', 134217728)::text FROM q LEFT JOIN deadletter_head h ON h.realm = q.realm",
    [FL_READ_DEADLETTER] = ARGS
    "SELECT json_build_object('letter', " LETTER
    ", 'raw', CASE WHEN d.is_text THEN convert_from(d.raw, 'UTF8')"
    " ELSE encode(d.raw, 'escape') END)::text FROM deadletter d, q WHERE d.realm = q.realm AND d.n = q.fp",
    [FL_READ_NOISE] = ARGS NOISE,
    [FL_READ_PRECISION] = LIST(
        "SELECT json_build_object('rule', v.rule, 'alerts', count(*), 'incidents', count(DISTINCT v.incident),"
        " 'in_incident', count(v.incident), 'kept', count(v.kept), 'acted', count(*) FILTER (WHERE v.acted), 'acked',"
        " count(*) FILTER (WHERE v.acked), 'nothing', count(*) FILTER (WHERE NOT v.acted AND NOT v.acked), 'precision',"
        " round(count(*) FILTER (WHERE v.acted OR v.acked)::numeric / count(*), 3)) AS doc,"
        " row_number() OVER (ORDER BY count(*) FILTER (WHERE NOT v.acted AND NOT v.acked) DESC, v.rule) AS o"
        " FROM alert_noise_v v, q WHERE v.realm = q.realm AND v.starts_at >= coalesce(q.since, now() - interval '30 days')"
        " GROUP BY v.rule ORDER BY count(*) FILTER (WHERE NOT v.acted AND NOT v.acked) DESC, v.rule" PAGE),
    [FL_READ_SILENT] = LIST(
        "SELECT json_build_object('heartbeat', coalesce(a.labels ->> 'heartbeat', x.o -> 'labels' ->> 'heartbeat'), 'since',"
        " rfc3339(a.starts_at), 'incident', a.incident) AS doc, row_number() OVER (ORDER BY a.starts_at) AS o"
        " FROM q, alert a" TEXTS " WHERE a.realm = q.realm"
        " AND a.status <> 'resolved' AND a.source = 'heartbeat' ORDER BY a.starts_at" PAGE),
    /* The newest 200 of its incidents; ties at the same instant are no "before". */
    [FL_READ_FOLLOWED] = ARGS
    ", mine AS (SELECT a.incident AS id, min(a.starts_at) AS first FROM alert a, q WHERE a.realm = q.realm AND a.node = q.id"
    "  AND a.incident IS NOT NULL GROUP BY 1),"
    " said AS (SELECT v.incident AS id FROM verdict v, q WHERE v.realm = q.realm AND v.node = q.id AND v.verdict = 'confirmed'),"
    " led AS (SELECT i.id, coalesce(m.first, i.opened_at) AS first, s.id IS NOT NULL AS confirmed FROM q"
    "  JOIN incident i ON i.realm = q.realm LEFT JOIN mine m ON m.id = i.id LEFT JOIN said s ON s.id = i.id"
    "  WHERE (m.id IS NOT NULL OR s.id IS NOT NULL) AND (q.until IS NULL OR i.opened_at <= q.until) AND (s.id IS NOT NULL"
    "   OR NOT EXISTS (SELECT FROM alert b WHERE b.realm = q.realm AND b.incident = i.id AND b.node IS NOT NULL AND b.starts_at < m.first))"
    "  ORDER BY i.opened_at DESC, i.id DESC LIMIT 200),"
    " later AS (SELECT b.node, " ALERTNAME(
        "b") " AS alertname, l.id, extract(epoch FROM min(b.starts_at) - l.first) AS s"
             "  FROM q, led l JOIN alert b ON b.incident = l.id WHERE b.realm = q.realm AND b.node IS NOT NULL AND b.node <> q.id"
             "  AND b.starts_at >= l.first GROUP BY 1, 2, 3, l.first),"
             " sums AS (SELECT node, alertname, count(*) AS n, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY s)::numeric, 1) AS s"
             "  FROM later GROUP BY 1, 2 ORDER BY 3 DESC, 4, 1, 2 LIMIT 50)"
             " SELECT json_build_object('incidents', (SELECT count(*) FROM led), 'confirmed', (SELECT count(*) FROM led WHERE confirmed),"
             " 'alerts', (SELECT coalesce(json_agg(json_build_object('node', x.node, 'alertname', x.alertname, 'incidents', x.n, 'after_s', x.s)"
             "  ORDER BY x.n DESC, x.s, x.node, x.alertname), '[]'::json) FROM sums x))::text FROM q",
    [FL_READ_AUDIT_HEAD] = ARGS "SELECT json_build_object('seq', coalesce(a.seq, 0), 'hash', coalesce(" HEX(
        "a.hash") ", repeat('0', 64)),"
                  " 'at', rfc3339(a.at))::text FROM q LEFT JOIN LATERAL (SELECT * FROM audit b WHERE b.realm = q.realm"
                  " ORDER BY b.seq DESC LIMIT 1) a ON true",
    [FL_READ_CHANGES] = LIST(
        "SELECT json_build_object('time', rfc3339(c.at), 'component', c.component, 'kind', c.kind, 'id', c.id,"
        " 'author', c.author, 'title', c.title, 'link', c.link, 'detail', c.detail, 'event_seq', c.event_seq) AS doc,"
        " row_number() OVER (ORDER BY c.at DESC, c.event_seq DESC, c.n) AS o FROM change c, q WHERE c.realm = q.realm"
        " AND (q.text IS NULL OR c.component = q.text) AND (q.since IS NULL OR c.at >= q.since)"
        " AND (q.until IS NULL OR c.at < q.until) ORDER BY c.at DESC, c.event_seq DESC, c.n" PAGE),
    [FL_READ_TOPOLOGY_HISTORY] = LIST(
        "SELECT json_build_object('event_seq', t.event_seq, 'at', rfc3339(t.at), 'hash', " HEX(
            "t.hash") ", 'nodes', t.nodes, 'edges', t.edges,"
                      " 'nodes_new', (SELECT count(*) FROM node n WHERE n.realm = t.realm AND n.known_from = t.at AND n.true_from = t.at),"
                      " 'nodes_gone', (SELECT count(*) FROM node n WHERE n.realm = t.realm AND n.known_from = t.at AND n.true_until = t.at),"
                      " 'edges_new', (SELECT count(*) FROM edge e WHERE e.realm = t.realm AND e.known_from = t.at AND e.true_from = t.at),"
                      " 'edges_gone', (SELECT count(*) FROM edge e WHERE e.realm = t.realm AND e.known_from = t.at AND e.true_until = t.at))"
                      " AS doc, row_number() OVER (ORDER BY t.event_seq DESC) AS o"
                      " FROM topology t, q WHERE t.realm = q.realm ORDER BY t.event_seq DESC" PAGE),
};

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000

/* Lists that belong to one thing say "not found" when there is no such thing; others are just empty. */
static bool needs_something(fl_read what)
{
    return what == FL_READ_ALERT;
}

static const char *some(const char *s)
{
    return s && *s ? s : NULL;
}

static fl_status incident_exists(struct fl_reader *r, const struct fl_read_args *a, struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    fl_pq_params_init(&p, arena);
    fl_pq_text(&p, a->realm);
    fl_pq_text(&p, a->id);
    fl_pq_fault f = fl_reader_query(r, "SELECT 1 FROM incident WHERE realm = $1 AND id = $2", &p, &res, err);
    if (f)
        return fl_pq_status(f);
    return PQntuples(res) ? FL_OK : fl_fail(err, FL_E_NOTFOUND, a->id ? a->id : "", "no such incident");
}

fl_status fl_read_json(struct fl_reader *r, fl_read what, const struct fl_read_args *a, struct fl_buf *out,
                       struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    uint64_t fp = 0;
    fl_pq_params_init(&p, arena);
    FL_REQUIRE((size_t)what < FL_ARRAY_LEN(documents));
    int64_t number = 0;
    if (what == FL_READ_DEADLETTER && !(a->id && fl_parse_i64(a->id, 1, INT64_MAX, &number)))
        return fl_fail(err, FL_E_NOTFOUND, a->id ? a->id : "", "no such dead letter: they have numbers");
    bool by_fingerprint = what == FL_READ_ALERT || what == FL_READ_NEAR;
    if (by_fingerprint && !(a->id && fl_fingerprint_parse(a->id, &fp)))
        return fl_fail(err, FL_E_NOTFOUND, a->id ? a->id : "",
                       "no such alert: a fingerprint has 16 hex digits");
    size_t most = what == FL_READ_TIMELINE && !a->limit ? LIMIT_MAX : LIMIT_DEFAULT;
    fl_pq_text(&p, a->realm);
    fl_pq_text(&p, a->id);
    fl_pq_text(&p, what == FL_READ_TIMELINE && !a->limit && !a->offset ? "whole" : some(a->text));
    fl_pq_text(&p, some(a->state));
    fl_pq_time(&p, a->since);
    fl_pq_time(&p, a->until);
    fl_pq_i64(&p, (int64_t)(!a->limit ? most : a->limit > LIMIT_MAX ? LIMIT_MAX : a->limit));
    fl_pq_i64(&p, (int64_t)a->offset);
    fl_pq_i64(&p, number ? number : (int64_t)fp);
    fl_pq_fault f = fl_reader_query(r, documents[what], &p, &res, err);
    if (f)
        return fl_pq_status(f);
    const char *text = PQntuples(res) ? fl_pq_get_text(res, 0, 0) : "";
    bool empty = !*text || (needs_something(what) && strcmp(text, "[]") == 0);
    if (empty)
        return fl_fail(err, FL_E_NOTFOUND, a->id ? a->id : "", "no such thing");
    if (what == FL_READ_TIMELINE && strcmp(text, "[]") == 0) {
        fl_status st = incident_exists(r, a, err);
        if (st)
            return st;
    }
    fl_buf_str(out, text);
    return out->failed ? fl_fail(err, FL_E_LIMIT, "", "the answer is too large: ask for less") : FL_OK;
}

fl_status fl_read_alerts_at(struct fl_reader *r, const char *realm, const char *state,
                            const struct fl_alert_key *v, size_t n, struct fl_buf *out, size_t *ret_n,
                            struct fl_err *err)
{
    static const char sql[] =
        "SELECT coalesce(json_agg(x.doc ORDER BY x.o), '[]'::json)::text, count(*) FROM (SELECT " ALERT
        " AS doc, k.o FROM unnest($3::bigint[], $4::timestamptz[]) WITH ORDINALITY AS k(fp, at, o)"
        " JOIN alert a ON a.fingerprint = k.fp AND a.starts_at = k.at AND a.realm = $1" TEXTS
        " WHERE ($2::text IS NULL OR a.status = $2 OR ($2 = 'unmapped' AND a.node IS NULL))) x";
    FL_AUTO_ARENA arena = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    fl_pq_params_init(&p, arena);
    fl_pq_text(&p, realm);
    fl_pq_text(&p, some(state));
    struct fl_pq_array fps = fl_pq_array(&p, FL_PQ_I64), times = fl_pq_array(&p, FL_PQ_TIME);
    for (size_t i = 0; i < n; i++) {
        fl_pq_add_i64(&fps, (int64_t)v[i].fingerprint);
        fl_pq_add_time(&times, v[i].starts_at);
    }
    fl_pq_array_end(&fps);
    fl_pq_array_end(&times);
    fl_pq_fault f = fl_reader_query(r, sql, &p, &res, err);
    if (f)
        return fl_pq_status(f);
    fl_buf_str(out, fl_pq_get_text(res, 0, 0));
    *ret_n = (size_t)fl_pq_get_i64(res, 0, 1);
    return out->failed ? fl_fail(err, FL_E_LIMIT, "", "the answer is too large: ask for less") : FL_OK;
}
