"""The command line of hb. Importing this package loads nothing; each command is imported when it is invoked.

What commands of plugins may use: `State` with `pass_state`, what the commands of one run share; and `output`, the one
way to write to a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    from heavenbase._lazy import front
except ImportError as error:
    # The files of another project of that import name lie over those of hb-kernel, or took them along as they went.
    if "pip uninstall" in f"{error}":  # told already
        raise
    raise ImportError(
        "the module `heavenbase` here is not that of hb-kernel: another project of this name came over it; run: "
        "pip uninstall -y heavenbase, and then: pip install --force-reinstall --no-deps hb-kernel hb-core"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hb_cli import output as output
    from hb_cli.state import State as State
    from hb_cli.state import pass_state as pass_state

__all__ = ["State", "main", "output", "pass_state"]

__getattr__, __dir__ = front(__name__, {"": "output", "state": "State pass_state"})


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command (`sys.argv` by default) and exit: 0, 1 error, 2 bad input, 130 interrupted."""
    try:
        from hb_cli.app import app

        app.main(argv, prog_name="hb")
    except KeyboardInterrupt:  # before click watches for it
        raise SystemExit(130) from None
