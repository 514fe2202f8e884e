-- SPDX-License-Identifier: GPL-3.0-or-later
-- Snapshots in parts: one part is in memory at a time, compressed by the engine.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

ALTER TABLE snapshot ADD COLUMN format integer NOT NULL DEFAULT 1, ADD COLUMN parts bigint NOT NULL DEFAULT 0,
                     ADD COLUMN bytes bigint NOT NULL DEFAULT 0, ALTER COLUMN body SET DEFAULT '';
COMMENT ON TABLE snapshot IS 'state of the core after a journal row; the last two are kept. A snapshot is there once its row here is';
COMMENT ON COLUMN snapshot.hash IS 'SHA-256 of the hashes of its parts in order; format 1: of body';
COMMENT ON COLUMN snapshot.body IS 'format 1: text of the state; else empty';
COMMENT ON COLUMN snapshot.format IS '1: one text, which this program does not read any more; 2: records in parts';
COMMENT ON COLUMN snapshot.parts IS 'how many parts';
COMMENT ON COLUMN snapshot.bytes IS 'of its parts, uncompressed';

CREATE TABLE snapshot_part (
    realm  text NOT NULL,
    seq    bigint NOT NULL,
    n      bigint NOT NULL,
    bytes  bigint NOT NULL,
    hash   bytea NOT NULL CHECK (octet_length(hash) = 32),
    body   bytea NOT NULL,
    PRIMARY KEY (realm, seq, n)
);
-- Compressed already.
ALTER TABLE snapshot_part ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE snapshot_part IS 'a piece of a snapshot; parts of one that was not finished go with the next one';
COMMENT ON COLUMN snapshot_part.realm IS 'realm';
COMMENT ON COLUMN snapshot_part.seq IS 'journal row after which the snapshot was taken';
COMMENT ON COLUMN snapshot_part.n IS 'from 0';
COMMENT ON COLUMN snapshot_part.bytes IS 'uncompressed';
COMMENT ON COLUMN snapshot_part.hash IS 'SHA-256 of body';
COMMENT ON COLUMN snapshot_part.body IS 'records, compressed by zlib';

GRANT SELECT, INSERT, DELETE ON snapshot_part TO faultline_engine;
