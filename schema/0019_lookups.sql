-- SPDX-License-Identifier: GPL-3.0-or-later
-- Two questions that had no index: what silences and maintenance windows hide now (quiet_v, hidden_v), and which incidents
-- an incident has absorbed. Neither index asks for the status of an alert, so that its second version stays beside the first.
SET LOCAL ROLE faultline_owner;
SET LOCAL search_path = faultline, pg_catalog;

CREATE INDEX alert_hidden ON alert (starts_at) WHERE silenced_by IS NOT NULL;
CREATE INDEX incident_absorbed ON incident (merged_into) WHERE merged_into IS NOT NULL;
