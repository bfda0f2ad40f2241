"""The command line, `hb`. Importing this package loads nothing; each command is imported when it is invoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command (`sys.argv` by default) and exit: 0, 1 error, 2 bad input, 130 interrupted."""
    try:
        from heavenbase.cli.app import app

        app.main(argv, prog_name="hb")
    except KeyboardInterrupt:  # before click watches for it
        raise SystemExit(130) from None
