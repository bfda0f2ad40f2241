"""`python -m heavenbase.cli`, which is `hb`."""

from __future__ import annotations

from heavenbase.cli import main

if __name__ == "__main__":
    main()
