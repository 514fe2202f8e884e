-- SPDX-License-Identifier: MIT
-- Which alerts keep which others quiet. Page: inhibition.md.

inhibition {}
