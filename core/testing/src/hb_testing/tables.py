"""What every table of models must do, as tests to inherit.

class TestMine(TableContract):
    table = "mine"
    known = [("openai", "gpt-4o")]
"""

from __future__ import annotations

from hb_testing.conformance.checks_tables import TableChecks

__all__ = ["TableContract"]


class TableContract(TableChecks):
    """Inherit it in a class named Test…, set `table`, and name in `known` models of which it has prices."""
