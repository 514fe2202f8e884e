-- SPDX-License-Identifier: MIT
-- Which playbook is tried for which incident. What may act is your decision: the one shipped binding applies only
-- to components whose node in the topology carries a restart_url, and asks for an approval. Page: bindings.md.

binding {
    name = "restart what can be restarted",
    playbook = "restart-service",
    min_confidence = 0.3,
    approval = "required",
    params = { restart_url = "{node:restart_url}" },
}
