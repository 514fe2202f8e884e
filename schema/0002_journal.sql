-- SPDX-License-Identifier: GPL-3.0-or-later
-- Realms and their leases, the journal, snapshots of the core's state, tokens, dead letters.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

-- ---- realm: who writes, fenced by an epoch --------------------------------------------------------------
CREATE TABLE realm (
    name         text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 63),
    owner        text NOT NULL DEFAULT '',
    owner_proc   text NOT NULL DEFAULT '',
    epoch        bigint NOT NULL DEFAULT 0,
    lease_until  timestamptz NOT NULL DEFAULT '-infinity',
    taken_at     timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE realm IS 'unit of isolation; the process that holds the lease is its only writer';
COMMENT ON COLUMN realm.name IS 'environment or tenant';
COMMENT ON COLUMN realm.owner IS 'name of the process that holds the lease, empty when released';
COMMENT ON COLUMN realm.owner_proc IS 'boot id, pid name space, pid and start time of the owner: tells a dead owner on the same host';
COMMENT ON COLUMN realm.epoch IS 'fencing token: grows by one at each take-over; every write checks it in its own transaction';
COMMENT ON COLUMN realm.lease_until IS 'the owner renews it; after it anyone may take over';
COMMENT ON COLUMN realm.taken_at IS 'when the present owner took over';

-- Apart from realm, so that a long projection never blocks the renewal of the lease.
CREATE TABLE projection (
    realm          text PRIMARY KEY REFERENCES realm (name),
    projected_seq  bigint NOT NULL DEFAULT 0,
    skipped_rows   bigint NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE projection IS 'how far the rows derived from the journal are written';
COMMENT ON COLUMN projection.realm IS 'realm';
COMMENT ON COLUMN projection.projected_seq IS 'last journal row whose derived rows are all committed';
COMMENT ON COLUMN projection.skipped_rows IS 'derived rows the database refused (never audit rows); see the log';
COMMENT ON COLUMN projection.updated_at IS 'time of the last projection';

-- A key share lock waits for a take-over in progress and makes the next one wait for us.
CREATE FUNCTION fence(p_realm text, p_epoch bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM faultline.realm WHERE name = p_realm AND epoch = p_epoch FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'realm "%" is not owned with epoch % any more', p_realm, p_epoch USING ERRCODE = 'FL001';
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION fence IS 'fails with FL001 unless the realm still has this epoch; holds until the end of the transaction';

CREATE FUNCTION advance(p_realm text, p_from bigint, p_to bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE faultline.projection SET projected_seq = p_to, updated_at = now()
     WHERE realm = p_realm AND projected_seq = p_from;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'realm "%" is not projected up to % any more', p_realm, p_from USING ERRCODE = 'FL002';
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION advance IS 'moves projected_seq; fails with FL002 when it is not where the caller thinks';

CREATE FUNCTION rfc3339(t timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
COMMENT ON FUNCTION rfc3339 IS 'UTC with microseconds; null stays null';

-- ---- journal --------------------------------------------------------------------------------------------
CREATE TABLE journal (
    realm      text NOT NULL,
    seq        bigint NOT NULL CHECK (seq > 0),
    at         timestamptz NOT NULL,
    kind       text NOT NULL,
    actor      text NOT NULL,
    source     text NOT NULL,
    run        text,
    body_hash  bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    body       bytea NOT NULL,
    PRIMARY KEY (realm, seq)
);
CREATE INDEX journal_at ON journal (realm, at);
CREATE INDEX journal_run ON journal USING hash (run) WHERE run IS NOT NULL;
COMMENT ON TABLE journal IS 'every input, in order: the truth from which all other tables are derived';
COMMENT ON COLUMN journal.realm IS 'realm';
COMMENT ON COLUMN journal.seq IS 'from 1, without gaps within a realm';
COMMENT ON COLUMN journal.at IS 'when it was accepted; never goes back within a realm';
COMMENT ON COLUMN journal.kind IS 'kind of event: alerts, topology, command, run.call, …';
COMMENT ON COLUMN journal.actor IS 'token name or "system"';
COMMENT ON COLUMN journal.source IS 'format of an intake body, else empty';
COMMENT ON COLUMN journal.run IS 'run.* events: the run they belong to';
COMMENT ON COLUMN journal.body_hash IS 'SHA-256 of body';
COMMENT ON COLUMN journal.body IS 'bytes as received';

CREATE FUNCTION journal_is_append_only() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table "%" is append-only: % refused', TG_TABLE_NAME, lower(TG_OP) USING ERRCODE = '42501';
END
$$;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only();

CREATE TABLE snapshot (
    realm  text NOT NULL,
    seq    bigint NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    hash   bytea NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (realm, seq)
);
COMMENT ON TABLE snapshot IS 'state of the core after a journal row; the last two are kept';
COMMENT ON COLUMN snapshot.realm IS 'realm';
COMMENT ON COLUMN snapshot.seq IS 'journal row after which it was taken';
COMMENT ON COLUMN snapshot.at IS 'when it was written';
COMMENT ON COLUMN snapshot.hash IS 'SHA-256 of body';
COMMENT ON COLUMN snapshot.body IS 'text of the state';

-- ---- tokens ---------------------------------------------------------------------------------------------
CREATE TABLE token (
    realm       text NOT NULL,
    id          text NOT NULL CHECK (octet_length(id) < 40),
    name        text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 127),
    role        text NOT NULL CHECK (role IN ('ingest', 'viewer', 'operator', 'approver', 'admin')),
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL DEFAULT '',
    expires_at  timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (realm, id)
);
CREATE UNIQUE INDEX token_name ON token (realm, name) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX token_hash ON token (hash);
COMMENT ON TABLE token IS 'API tokens; the secret itself is shown once and never stored';
COMMENT ON COLUMN token.realm IS 'realm it opens';
COMMENT ON COLUMN token.id IS 'UUID';
COMMENT ON COLUMN token.name IS 'who or what uses it: the actor in the audit';
COMMENT ON COLUMN token.role IS 'ingest, viewer, operator, approver or admin';
COMMENT ON COLUMN token.hash IS 'SHA-256 of the secret (256 random bits need no slow hash)';
COMMENT ON COLUMN token.created_at IS 'when';
COMMENT ON COLUMN token.created_by IS 'by whom';
COMMENT ON COLUMN token.expires_at IS 'null = never';
COMMENT ON COLUMN token.revoked_at IS 'null = still good';

-- ---- dead letters ---------------------------------------------------------------------------------------
CREATE TABLE deadletter_head (
    realm    text PRIMARY KEY,
    last_n   bigint NOT NULL DEFAULT 0,
    dropped  bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE deadletter_head IS 'counters of the dead letters of a realm';
COMMENT ON COLUMN deadletter_head.realm IS 'realm';
COMMENT ON COLUMN deadletter_head.last_n IS 'how many were ever written';
COMMENT ON COLUMN deadletter_head.dropped IS 'how many were dropped: the oldest over the bound, or too many at once';

CREATE TABLE deadletter (
    realm    text NOT NULL,
    n        bigint NOT NULL,
    at       timestamptz NOT NULL,
    source   text NOT NULL,
    place    text NOT NULL,
    reason   text NOT NULL,
    is_text  boolean NOT NULL,
    raw      bytea NOT NULL,
    PRIMARY KEY (realm, n)
);
COMMENT ON TABLE deadletter IS 'input that was refused or could not be mapped, with its reason; the newest 100,000 of a realm';
COMMENT ON COLUMN deadletter.realm IS 'realm';
COMMENT ON COLUMN deadletter.n IS 'number within the realm';
COMMENT ON COLUMN deadletter.at IS 'when it was seen';
COMMENT ON COLUMN deadletter.source IS 'format or mapping it came by';
COMMENT ON COLUMN deadletter.place IS 'where in the body';
COMMENT ON COLUMN deadletter.reason IS 'why';
COMMENT ON COLUMN deadletter.is_text IS 'raw is valid UTF-8';
COMMENT ON COLUMN deadletter.raw IS 'the first 64 KiB of it';

GRANT SELECT, INSERT, UPDATE ON realm, projection, deadletter_head TO faultline_engine;
GRANT SELECT, INSERT ON journal TO faultline_engine;
GRANT SELECT, INSERT, DELETE ON snapshot, deadletter TO faultline_engine;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON token TO faultline_engine;
GRANT SELECT ON realm, projection, journal, deadletter, deadletter_head TO faultline_reader;
