-- SPDX-License-Identifier: GPL-3.0-or-later
-- Silences, and which alerts are kept quiet by what.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

ALTER TABLE alert ADD COLUMN silenced_by json, ADD COLUMN inhibited_by json;
COMMENT ON COLUMN alert.silenced_by IS 'ids of the silences that hide it; null = none';
COMMENT ON COLUMN alert.inhibited_by IS 'fingerprints of the alerts that inhibit it; null = none';

CREATE TABLE silence (
    realm       text NOT NULL,
    id          text NOT NULL,
    created_by  text NOT NULL,
    comment     text NOT NULL,
    matchers    json NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (realm, id)
);
CREATE INDEX silence_ends ON silence (realm, ends_at);
COMMENT ON TABLE silence IS 'silences: pending, in force and over';
COMMENT ON COLUMN silence.realm IS 'realm';
COMMENT ON COLUMN silence.id IS 'UUID, made of the event that created it';
COMMENT ON COLUMN silence.created_by IS 'author as given by whoever created it; the audit names the token';
COMMENT ON COLUMN silence.comment IS 'why';
COMMENT ON COLUMN silence.matchers IS 'matchers as in Alertmanager''s API: isEqual, isRegex, name, value';
COMMENT ON COLUMN silence.starts_at IS 'from when it hides alerts';
COMMENT ON COLUMN silence.ends_at IS 'until when';
COMMENT ON COLUMN silence.updated_at IS 'time of the event that changed it last';

CREATE OR REPLACE VIEW alert_v AS
SELECT realm, lpad(to_hex(fingerprint), 16, '0') AS fingerprint, labels ->> 'alertname' AS alertname, status,
       severity, class, node, incident, starts_at, ends_at, received_at, updated_at, map_rule, source,
       labels, annotations, why, silenced_by, inhibited_by
  FROM alert;

CREATE VIEW silence_v AS
SELECT realm, id, CASE WHEN ends_at <= now() THEN 'expired' WHEN starts_at > now() THEN 'pending' ELSE 'active' END AS state,
       created_by, comment, matchers, starts_at, ends_at, updated_at
  FROM silence;
COMMENT ON VIEW silence_v IS 'silences and whether each is in force';

GRANT SELECT, INSERT, UPDATE ON silence TO faultline_engine;
GRANT SELECT ON silence, silence_v TO faultline_reader;
GRANT SELECT ON silence_v TO faultline_engine;
