-- SPDX-License-Identifier: MIT
-- Which playbook is tried for which incident. None is shipped: what may act is your decision. Page: bindings.md.

binding {}
