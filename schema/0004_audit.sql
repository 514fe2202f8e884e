-- SPDX-License-Identifier: GPL-3.0-or-later
-- The audit trail: append-only, hash-chained. Rights keep the engine from changing it, triggers keep its
-- owner from changing it by accident; only a head kept outside this database tells of a hostile owner.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

CREATE TABLE audit (
    realm      text NOT NULL,
    seq        bigint NOT NULL CHECK (seq > 0),
    at         timestamptz NOT NULL,
    event_seq  bigint NOT NULL,
    actor      text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    incident   text NOT NULL,
    reason     text NOT NULL,
    detail     text NOT NULL,
    prev       bytea NOT NULL CHECK (octet_length(prev) = 32),
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (realm, seq)
);
CREATE INDEX audit_incident ON audit USING hash (incident) WHERE incident <> '';
CREATE INDEX audit_actor ON audit USING hash (actor);
CREATE INDEX audit_at ON audit (realm, at);
COMMENT ON TABLE audit IS 'every decision and act: who, what, about what, why; row n holds the hash of row n-1';
COMMENT ON COLUMN audit.realm IS 'realm';
COMMENT ON COLUMN audit.seq IS 'from 1, without gaps within a realm';
COMMENT ON COLUMN audit.at IS 'time of the event that caused it';
COMMENT ON COLUMN audit.event_seq IS 'journal row that caused it';
COMMENT ON COLUMN audit.actor IS 'who: token name, "engine", "playbook:NAME"';
COMMENT ON COLUMN audit.action IS 'dotted verb: alerts.received, incident.opened, call.intended, …';
COMMENT ON COLUMN audit.subject IS 'what it is about';
COMMENT ON COLUMN audit.incident IS 'incident or empty';
COMMENT ON COLUMN audit.reason IS 'one sentence';
COMMENT ON COLUMN audit.detail IS 'canonical JSON, kept as text because the hash covers its bytes';
COMMENT ON COLUMN audit.prev IS 'hash of the row before; 32 zero bytes in row 1';
COMMENT ON COLUMN audit.hash IS 'SHA-256 of the canonical bytes of this row and prev';

CREATE FUNCTION audit_is_append_only() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', lower(TG_OP) USING ERRCODE = '42501';
END
$$;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

GRANT SELECT, INSERT ON audit TO faultline_engine;
GRANT SELECT ON audit TO faultline_reader;
