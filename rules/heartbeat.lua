-- SPDX-License-Identifier: MIT
-- Whose silence is an incident. Page: heartbeat.md.

heartbeat {}
