"""`python -m hb_cli`, which is `hb`."""

from __future__ import annotations

from hb_cli import main

if __name__ == "__main__":
    main()
