"""`hb cfg edit`: the settings file in an editor; only a file that can be loaded takes the old one's place."""

from __future__ import annotations

import os
import sys

import click

from hb_cli import output
from hb_cli.state import State, pass_state
from heavenbase.errors import ConfigError

SUFFIX = ".draft.toml"


@click.command()
@click.option("-e", "--editor", help="Editor to use [default: $VISUAL or $EDITOR].")
@pass_state
def edit(state: State, editor: str | None) -> None:
    """Open the settings file in an editor, and check it afterwards.

    A draft is edited. When it cannot be loaded it is kept, and the settings stay as they were.
    """
    from heavenbase.config.files import read_text, write_atomic

    named = editor or os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not (named or output.is_terminal(sys.stdin)):
        # A full-screen editor without a terminal waits for ever.
        raise ConfigError(
            "an editor needs a terminal; change single keys with hb cfg set, or name a program by -e or EDITOR"
        )
    file = os.path.realpath(state.user_file)
    draft = file + SUFFIX
    os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
    before = read_text(file)[0] if os.path.exists(file) else ""
    if not os.path.exists(draft):
        write_atomic(draft, before)
    else:
        output.note(f"going on with the draft {draft}")
    click.edit(filename=draft, editor=editor)
    text = read_text(draft)[0]
    if text != before:
        _check(text, file, draft)
        write_atomic(file, text)
    os.unlink(draft)
    output.say(file if text != before else "nothing was changed")


def _check(text: str, file: str, draft: str) -> None:
    from heavenbase.config.files import SettingsFile, parse_settings
    from heavenbase.config.layers import file_layer

    try:
        file_layer("user", SettingsFile(draft, parse_settings(text, draft), text))
    except ConfigError as error:
        raise ConfigError(f"{error.message}\n{file} was not changed; go on with: hb cfg edit") from None
