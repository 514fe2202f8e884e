-- SPDX-License-Identifier: GPL-3.0-or-later
-- What a projected row costs. Realms are few and alerts are many: an index that begins with the number compares one
-- machine word, one that begins with the realm's name compares a text that is the same in every entry.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

ALTER TABLE alert DROP CONSTRAINT alert_pkey, ADD PRIMARY KEY (fingerprint, starts_at, realm);
ALTER TABLE timeline DROP CONSTRAINT timeline_pkey, ADD PRIMARY KEY (event_seq, n, realm);
DROP INDEX alert_recent;
CREATE INDEX alert_recent ON alert (starts_at DESC);

-- Every episode is written again when it is over. Half of a page free, and no index that asks for the status: then its
-- second version lies beside the first one, the indexes stay as they are, and the log holds only what is different.
ALTER TABLE alert SET (fillfactor = 50);
DROP INDEX alert_live;
CREATE INDEX alert_heartbeat ON alert (starts_at) WHERE source = 'heartbeat';
