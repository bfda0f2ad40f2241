"""What commands that change settings share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hb_cli import output

if TYPE_CHECKING:
    from hb_cli.state import State


def warn_if_overridden(state: State, key: str) -> None:
    """Say so when something above the user's file decides about a key, so that a change has no effect here."""
    from heavenbase.config.config import Config
    from heavenbase.errors import HBError

    try:
        origin = Config.load(user_file=state.config_file).origin(key)
    except HBError as error:
        output.warn(error.message)
        return
    if origin is not None and origin.layer not in ("user", "default"):
        output.warn(f"{key} is decided by the {origin}, which wins over {state.user_file}")
