-- SPDX-License-Identifier: GPL-3.0-or-later
-- Dead letters can be retried: what of the body was kept, how often it was tried; and how much room all of them take.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

ALTER TABLE deadletter ADD COLUMN whole boolean NOT NULL DEFAULT false, ADD COLUMN cut boolean NOT NULL DEFAULT false,
    ADD COLUMN bytes integer, ADD COLUMN tries integer NOT NULL DEFAULT 0, ADD COLUMN tried_at timestamptz;
COMMENT ON COLUMN deadletter.whole IS 'raw is the body of a request, not one element of it';
COMMENT ON COLUMN deadletter.cut IS 'raw is not all of it: it cannot be retried';
COMMENT ON COLUMN deadletter.bytes IS 'room it counts for against the bound';
COMMENT ON COLUMN deadletter.tries IS 'how often it was retried in vain';
COMMENT ON COLUMN deadletter.tried_at IS 'last time; null = never';
UPDATE deadletter SET bytes = octet_length(raw) + octet_length(source) + octet_length(place) + octet_length(reason),
    cut = octet_length(raw) >= 16384;
ALTER TABLE deadletter ALTER COLUMN bytes SET NOT NULL;

ALTER TABLE deadletter_head ADD COLUMN held bigint NOT NULL DEFAULT 0, ADD COLUMN held_bytes bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN deadletter_head.held IS 'how many there are now';
COMMENT ON COLUMN deadletter_head.held_bytes IS 'bytes of them';
UPDATE deadletter_head h SET (held, held_bytes) =
    (SELECT count(*), coalesce(sum(d.bytes), 0) FROM deadletter d WHERE d.realm = h.realm);

-- Whoever adds or removes letters, the head counts along.
CREATE FUNCTION deadletter_count() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    UPDATE faultline.deadletter_head h SET held = h.held + sign * c.n, held_bytes = h.held_bytes + sign * c.bytes
      FROM (SELECT realm, count(*) AS n, sum(bytes) AS bytes FROM changed GROUP BY realm) c WHERE h.realm = c.realm;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION deadletter_count IS 'keeps held and held_bytes of the head';
CREATE TRIGGER deadletter_added AFTER INSERT ON deadletter REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION deadletter_count();
CREATE TRIGGER deadletter_removed AFTER DELETE ON deadletter REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION deadletter_count();

CREATE FUNCTION deadletter_trim(p_realm text, p_held bigint, p_bytes bigint, p_lost bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    h record;
    l record;
    last bigint := 0;
    gone bigint := 0;
BEGIN
    SELECT held, held_bytes INTO h FROM faultline.deadletter_head WHERE realm = p_realm FOR UPDATE;
    IF h.held > p_held OR h.held_bytes > p_bytes THEN
        FOR l IN SELECT n, bytes FROM faultline.deadletter WHERE realm = p_realm ORDER BY n LOOP
            EXIT WHEN h.held <= p_held AND h.held_bytes <= p_bytes;
            h.held := h.held - 1;
            h.held_bytes := h.held_bytes - l.bytes;
            last := l.n;
            gone := gone + 1;
        END LOOP;
        DELETE FROM faultline.deadletter WHERE realm = p_realm AND n <= last;
    END IF;
    IF gone + p_lost > 0 THEN
        UPDATE faultline.deadletter_head SET dropped = dropped + gone + p_lost WHERE realm = p_realm;
    END IF;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION deadletter_trim IS 'drops the oldest over the bounds and counts them, and those lost before they were written';

CREATE OR REPLACE VIEW deadletter_v AS
SELECT realm, n, at, source, place, reason,
       CASE WHEN is_text THEN convert_from(raw, 'UTF8') ELSE encode(raw, 'escape') END AS raw, whole, cut, bytes, tries, tried_at
  FROM deadletter;

GRANT UPDATE (place, reason, tries, tried_at) ON deadletter TO faultline_engine;
