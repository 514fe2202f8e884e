-- SPDX-License-Identifier: MIT
-- How the JSON of other senders becomes alerts. Page: sources.md.

source {}
