"""How a command fails: one line on standard error, an exit code, and a traceback without secrets when asked for."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from hb_cli import output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hb_cli.state import State
    from heavenbase.errors import HBError
    from heavenbase.secrets import Secret

ERROR, USAGE, INTERRUPTED = 1, 2, 130
_CREDENTIAL_NAME = re.compile("KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
_NO_CREDENTIAL = re.compile(r"true|false|[\d.]*|.{0,5}", re.IGNORECASE)
"""Values that such variables have when they are switches; masking these words would only garble messages."""


def report(error: BaseException, state: State) -> int:
    """Say what went wrong; returns the exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
        output.note("")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        output.silence(sys.stdout)
        return ERROR
    scrub = scrubber(state)
    if state.debug and not isinstance(error, click.UsageError | click.Abort):
        import traceback

        output.note(scrub("".join(traceback.format_exception(error)).rstrip()), output.DIM)
    if isinstance(error, click.Abort):
        return _say("nothing was done")
    if isinstance(error, click.UsageError):
        help_line = f"\ntry: {error.ctx.command_path} --help" if error.ctx is not None else ""
        return _say(scrub(error.format_message() + _as_option(error)) + help_line, USAGE)
    if isinstance(error, click.ClickException):
        return _say(scrub(error.format_message()), error.exit_code)
    return _say_exception(error, scrub)


def _as_option(error: click.UsageError) -> str:
    """How an option of the call is given that was taken for one of the command."""
    if not isinstance(error, click.NoSuchOption):
        return ""
    from difflib import get_close_matches

    from hb_cli.target import offered_options

    name = error.option_name.lstrip("-").replace("-", "_").lower()
    near = get_close_matches(name, [option.name for option in offered_options()], 1, 0.8)
    return f" Options of the call are given as -o {near[0]}=VALUE." if near else ""


def _say_exception(error: BaseException, scrub: Callable[[str], str]) -> int:
    from heavenbase.errors import HBError, InputError

    if isinstance(error, HBError):
        details = "; ".join(_details(error))
        return _say(
            scrub(error.message or error.kind) + (f"\n({details})" if details else ""),
            USAGE if isinstance(error, InputError) else ERROR,
        )
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return _say(scrub(f"{where}{error.strerror or error}"))
    hint = "this should not happen; run it again with `hb --debug …` for the traceback, and report it"
    return _say(f"{scrub(f'{type(error).__name__}: {error}')}\n({hint})")


def _say(text: str, code: int = ERROR) -> int:
    output.label("error", output.RED, text)
    return code


def _details(error: HBError) -> Iterator[str]:
    """What the error knows beside its message."""
    if error.attempts:
        count = len(error.attempts)
        yield f"{count} request{'s' if count > 1 else ''} to {error.attempts[-1].provider}/{error.attempts[-1].model}"
    if error.status is not None:
        yield f"status {error.status}"
    if error.request_id:
        yield f"request id {error.request_id}"
    if error.retry_after is not None:
        yield f"it asks to wait {error.retry_after:g} s"
    if error.maybe_billed:
        yield "the provider may have charged for it"


def scrubber(state: State, also: Iterable[Secret] = ()) -> Callable[[str], str]:
    """A function that masks credentials in a text: of the environment, of the settings that were read, and `also`."""
    from heavenbase import secrets

    found: list[Secret | str] = [*also]
    found += [
        value
        for name, value in os.environ.items()
        if _CREDENTIAL_NAME.search(name) and not _NO_CREDENTIAL.fullmatch(value)
    ]
    config = state.loaded_config
    if config is not None:
        from heavenbase.config.schema import is_secret
        from heavenbase.config.values import leaves, literal_part

        values = leaves(config.section("heavenbase", raw=True), ("heavenbase",))
        found += [
            literal_part(value)
            for path, value in values
            if isinstance(value, str) and is_secret(path) and not _is_plain(state, path, value)
        ]
    return secrets.scrubber(found)


def _is_plain(state: State, path: Sequence[str], value: str) -> bool:
    """Whether a plugin that was imported declares a text of its settings to be no credential.

    Without that a word such as "redis" would be masked in all messages, also where they say what to install.
    """
    from heavenbase.discovery.plugin_settings import KINDS, is_declared_plain

    kind, name = path[1:3] if len(path) > 3 else ("", "")
    return kind in KINDS and is_declared_plain(state.declared(kind, name), path[3:], value)


def settle() -> None:
    """Drop what the standard streams could not take."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            output.silence(stream)
