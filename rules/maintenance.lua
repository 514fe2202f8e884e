-- SPDX-License-Identifier: MIT
-- When people work on something, and nobody wants to hear of it. Page: maintenance.md.

maintenance {}
