"""`python -m hb_testing`: says what runs instead."""

from __future__ import annotations

import sys

TEXT = """hb_testing is a plugin of pytest and runs with it:
    pytest -p hb_testing --hb-plugin gateways:openai
Its loopback server runs alone:
    python -m hb_testing.server"""

if __name__ == "__main__":
    sys.exit(TEXT)
