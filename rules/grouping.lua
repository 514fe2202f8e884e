-- SPDX-License-Identifier: MIT
-- Which alerts wait for others before they open an incident. Page: grouping.md.

threshold {}
grouping {}
