-- SPDX-License-Identifier: MIT
-- Which alerts keep those of dependants quiet. Page: graph_inhibition.md.

graph_inhibition {}
