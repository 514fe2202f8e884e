-- SPDX-License-Identifier: GPL-3.0-or-later
-- Maintenance windows, and in one word what keeps an alert quiet.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

ALTER TABLE alert ADD COLUMN quiet text;
COMMENT ON COLUMN alert.quiet IS 'maintenance, upstream, threshold, grouping: what holds it; flapping: it counts as firing; null = none of these';

CREATE TABLE maintenance (
    realm       text NOT NULL,
    id          text NOT NULL,
    created_by  text NOT NULL,
    definition  json NOT NULL,
    state       text NOT NULL CHECK (state IN ('scheduled', 'open', 'ended')),
    next_at     timestamptz,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (realm, id)
);
CREATE INDEX maintenance_state ON maintenance (realm, state);
COMMENT ON TABLE maintenance IS 'maintenance windows: of people and of the rules';
COMMENT ON COLUMN maintenance.realm IS 'realm';
COMMENT ON COLUMN maintenance.id IS 'MNT-NNNNNN, or rule:NAME for a window of the rules';
COMMENT ON COLUMN maintenance.created_by IS 'token that asked for it, or rules';
COMMENT ON COLUMN maintenance.definition IS 'what it covers and when: comment, match, components, dependants, starts_at, ends_at, weekly';
COMMENT ON COLUMN maintenance.state IS 'scheduled, open or ended';
COMMENT ON COLUMN maintenance.next_at IS 'when it opens or closes next; null = never';
COMMENT ON COLUMN maintenance.updated_at IS 'time of the event that changed it last';

CREATE OR REPLACE VIEW alert_v AS
SELECT realm, lpad(to_hex(fingerprint), 16, '0') AS fingerprint, labels ->> 'alertname' AS alertname, status,
       severity, class, node, incident, starts_at, ends_at, received_at, updated_at, map_rule, source,
       labels, annotations, why, silenced_by, inhibited_by, quiet
  FROM alert;

CREATE VIEW maintenance_v AS
SELECT realm, id, state, next_at, definition ->> 'comment' AS comment, created_by, definition, updated_at FROM maintenance;
COMMENT ON VIEW maintenance_v IS 'maintenance windows and whether each is open';

GRANT SELECT, INSERT, UPDATE ON maintenance TO faultline_engine;
GRANT SELECT ON maintenance, maintenance_v TO faultline_reader;
GRANT SELECT ON maintenance_v TO faultline_engine;
