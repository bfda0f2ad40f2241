"""The checks of the conformance kit, by subject; the contracts in `hb_testing` put them together.

contract     what every contract has: the plugin's name, its installed form, how it is loaded
rig          one kernel against one loopback server, in one colour
colours      the verbs of an LLM as plain calls, sync and async
endpoint     what middlewares and judges are checked on: no wire, every verb, each request noted
stacked      a kernel whose calls go through one middleware, with witnesses around it
sandbox      watches: network, descriptors, threads, log records
probe        what importing a plugin loads and does, seen from a fresh interpreter
parameters   a value for every parameter that callers pass
checks_*     the checks themselves
installed    what `pytest -p hb_testing --hb-plugin KIND:NAME` collects
"""

from __future__ import annotations
