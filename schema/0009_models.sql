-- SPDX-License-Identifier: GPL-3.0-or-later
-- Ranking models, which of them was in force when, and what people said of rankings.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

CREATE TABLE model (
    realm     text NOT NULL,
    id        text NOT NULL,
    hash      bytea NOT NULL,
    origin    text NOT NULL,
    note      text NOT NULL,
    text      json NOT NULL,
    added_at  timestamptz NOT NULL,
    added_by  text,
    PRIMARY KEY (realm, id)
);
COMMENT ON TABLE model IS 'ranking models that were ever at hand; a model never changes';
COMMENT ON COLUMN model.realm IS 'realm';
COMMENT ON COLUMN model.id IS 'first 12 hex digits of the hash; first-day is the one that ranks until there is a history';
COMMENT ON COLUMN model.hash IS 'SHA-256 of its canonical text (keys sorted)';
COMMENT ON COLUMN model.origin IS 'shipped, first day, configuration, uploaded';
COMMENT ON COLUMN model.note IS 'what it says of itself';
COMMENT ON COLUMN model.text IS 'the model: weights, scale, threshold, what it was trained on';
COMMENT ON COLUMN model.added_at IS 'when it came in';
COMMENT ON COLUMN model.added_by IS 'who brought it; null = the program';

CREATE TABLE model_use (
    realm      text NOT NULL,
    event_seq  bigint NOT NULL,
    at         timestamptz NOT NULL,
    live       text NOT NULL,
    shadow     text,
    actor      text NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (realm, event_seq)
);
COMMENT ON TABLE model_use IS 'each change of the models in force; the last row holds now';
COMMENT ON COLUMN model_use.realm IS 'realm';
COMMENT ON COLUMN model_use.event_seq IS 'journal row that changed it';
COMMENT ON COLUMN model_use.at IS 'time of that event';
COMMENT ON COLUMN model_use.live IS 'model that ranks';
COMMENT ON COLUMN model_use.shadow IS 'model that ranks beside it and decides nothing; null = none';
COMMENT ON COLUMN model_use.actor IS 'who';
COMMENT ON COLUMN model_use.reason IS 'why';

CREATE TABLE verdict (
    realm         text NOT NULL,
    incident      text NOT NULL,
    verdict       text NOT NULL,
    actor         text NOT NULL,
    event_seq     bigint NOT NULL,
    at            timestamptz NOT NULL,
    node          text,
    change        text,
    version       integer NOT NULL,
    model         text,
    shadow_model  text,
    confidence    double precision NOT NULL,
    convincing    boolean NOT NULL,
    rank          integer,
    shadow_rank   integer,
    PRIMARY KEY (realm, incident)
) WITH (fillfactor = 80);
COMMENT ON TABLE verdict IS 'what a person said last of an incident''s ranking';
COMMENT ON COLUMN verdict.realm IS 'realm';
COMMENT ON COLUMN verdict.incident IS 'incident';
COMMENT ON COLUMN verdict.verdict IS 'confirmed or rejected';
COMMENT ON COLUMN verdict.actor IS 'who';
COMMENT ON COLUMN verdict.event_seq IS 'journal row it came with';
COMMENT ON COLUMN verdict.at IS 'time of that event';
COMMENT ON COLUMN verdict.node IS 'component that was the cause (confirmed) or was not (rejected)';
COMMENT ON COLUMN verdict.change IS 'change that was behind it, when named';
COMMENT ON COLUMN verdict.version IS 'version of the ranking that is judged; 0 = it was not ranked';
COMMENT ON COLUMN verdict.model IS 'model of that ranking';
COMMENT ON COLUMN verdict.shadow_model IS 'model that ranked beside it';
COMMENT ON COLUMN verdict.confidence IS 'probability it gave its first candidate';
COMMENT ON COLUMN verdict.convincing IS 'whether a cause was named at all';
COMMENT ON COLUMN verdict.rank IS 'where the cause stood: 1 …; 0 = not among the first five; -2 = not the first, no more known; null = unknown';
COMMENT ON COLUMN verdict.shadow_rank IS 'the same in the ranking of the shadow';

ALTER TABLE ranking ADD COLUMN shadow_model text, ADD COLUMN shadow json;
COMMENT ON COLUMN ranking.shadow_model IS 'model that ranked beside the live one; null = none';
COMMENT ON COLUMN ranking.shadow IS 'its first candidates, and whether it agrees; decides nothing';

CREATE VIEW model_v AS
SELECT m.realm, m.id, encode(m.hash, 'hex') AS hash,
       CASE m.id WHEN u.live THEN 'live' WHEN u.shadow THEN 'shadow' ELSE 'kept' END AS state,
       m.origin, m.note, m.added_at, m.added_by, m.text
  FROM model m
  LEFT JOIN LATERAL (SELECT live, shadow FROM model_use x WHERE x.realm = m.realm ORDER BY x.event_seq DESC LIMIT 1) u ON true;
COMMENT ON VIEW model_v IS 'ranking models and which of them is in force';

CREATE VIEW verdict_v AS
SELECT realm, incident, verdict, actor, at, node, change, version, model, confidence, convincing, rank,
       shadow_model, shadow_rank
  FROM verdict;
COMMENT ON VIEW verdict_v IS 'verdicts, and where the cause stood';

GRANT SELECT, INSERT ON model, model_use TO faultline_engine;
GRANT SELECT, INSERT, UPDATE ON verdict TO faultline_engine;
GRANT SELECT ON model, model_use, verdict, model_v, verdict_v TO faultline_reader;
GRANT SELECT ON model_v, verdict_v TO faultline_engine;
