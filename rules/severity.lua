-- SPDX-License-Identifier: MIT
-- How bad an alert is, where its labels severity, priority and level do not say. Page: severity.md.

severity {}
