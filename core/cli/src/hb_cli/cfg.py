"""`hb cfg`: settings by dotted key, with their origin. Editing works on a file that cannot be loaded, too."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from hb_cli import output
from hb_cli.lazy import Entry, LazyGroup
from hb_cli.state import State, pass_state
from hb_cli.target import json_option
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from heavenbase.config.section import Explanation

HERE = "hb_cli.cfg"
TABLE = {
    "get": Entry(f"{HERE}:get", "Print the value of a key; with -v its origin."),
    "set": Entry(f"{HERE}:set_key", "Set a key in the user's settings file."),
    "list": Entry(f"{HERE}:list_keys", "Print every key that has a value."),
    "unset": Entry(f"{HERE}:unset_key", "Take a key out of the file, so that its default counts again."),
    "path": Entry(f"{HERE}:path", "Print where the settings file is."),
    "edit": Entry("hb_cli.cfg_edit:edit", "Open the settings file in an editor, and check it afterwards."),
}
ALIASES = {"ls": "list", "show": "list", "rm": "unset", "remove": "unset", "del": "unset", "delete": "unset"}

reveal_option = click.option(
    "--reveal", is_flag=True, help="Show credentials, and values of the variables referred to."
)


@click.group(cls=LazyGroup, table=TABLE, aliases=ALIASES)
def cfg() -> None:
    """Read and change settings, by dotted keys such as heavenbase.llm.cache.enabled."""


def complete_key(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Known keys, for shells."""
    from heavenbase.config.schema import known_keys
    from heavenbase.config.values import join_key

    keys = (join_key(path) for path, _ in known_keys() if "<name>" not in path)
    return [key for key in keys if key.startswith(incomplete)]


@click.command()
@click.argument("key", shell_complete=complete_key)
@click.option("-v", "--verbose", is_flag=True, help="Also the origin, what it overrides, and what the key means.")
@reveal_option
@json_option
@pass_state
def get(state: State, key: str, verbose: bool, reveal: bool, as_json: bool) -> None:
    """Print the value of a key. References to variables stay as they are written, unless --reveal."""
    known(key)
    story = state.config.explain(key)
    value = plain(state.config.get(key, None)) if reveal else story.value
    if verbose:
        _say_story(story, value, as_json)
    elif as_json:
        output.say_json(value)
    elif isinstance(value, dict):
        _say_items(key, value)
    else:
        output.say(output.brief(value))


@click.command("list")
@click.argument("prefix", default="", shell_complete=complete_key)
@click.option("-v", "--verbose", is_flag=True, help="Also the origin of each value.")
@reveal_option
@json_option
@pass_state
def list_keys(state: State, prefix: str, verbose: bool, reveal: bool, as_json: bool) -> None:
    """Print every key that has a value, below PREFIX if one is given."""
    if prefix:
        known(prefix)
    config = state.config
    rows = [(key, config.get(key) if reveal else value) for key, value in config.items(prefix)]
    if as_json:
        output.say_json(dict(rows))
    elif verbose:
        output.say_table([(key, output.brief(value), str(config.origin(key) or "")) for key, value in rows])
    else:
        for key, value in rows:
            output.say(f"{key} = {output.brief(value)}")


# A value may begin with a hyphen: -1.
@click.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("key", shell_complete=complete_key)
@click.argument("value")
@click.option("-j", "--json", "strict_json", is_flag=True, help="VALUE must be JSON.")
@pass_state
def set_key(state: State, key: str, value: str, strict_json: bool) -> None:
    """Set a key in the user's settings file. VALUE is true, 3, 0.5, null, JSON or text; - reads it from standard input.

    Give credentials with -, so that they do not stay in the history of the shell.
    """
    from hb_cli.settings import warn_if_overridden
    from hb_cli.settings_edit import parse_cli_value, set_value
    from heavenbase.config.check import problems
    from heavenbase.config.schema import is_secret, look_up
    from heavenbase.config.values import has_reference
    from heavenbase.errors import ConfigError

    path = known(key)
    is_typed = value != "-"
    text = value if is_typed else _read_value(key)
    try:
        parsed = parse_cli_value(text, strict_json, path)
    except ConfigError as error:
        raise InputError(f"{key}: {error.message}") from None
    found = look_up(path)
    for problem in problems(parsed, found.node, path) if found is not None else ():
        raise InputError(problem.message)
    set_value(state.user_file, path, parsed)
    if is_typed and is_secret(path) and not has_reference(parsed):
        output.warn(f"this credential stays in the history of your shell; next time: hb cfg set {key} -")
    warn_if_overridden(state, key)


@click.command("unset")
@click.argument("key", shell_complete=complete_key)
@pass_state
def unset_key(state: State, key: str) -> None:
    """Take a key out of the user's settings file, so that its default counts again."""
    from hb_cli.settings_edit import unset
    from heavenbase.config.files import read_settings
    from heavenbase.config.values import ABSENT, find, split_key

    path = _split(key)
    file = state.user_file
    if not os.path.exists(file) or find(read_settings(file).values, split_key(path)) is ABSENT:
        known(key)
        output.note(f"{key} is not set in {file}")
        return
    unset(file, path)


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="All files and folders.")
@json_option
@pass_state
def path(state: State, everything: bool, as_json: bool) -> None:
    """Print where the settings file is, whether it exists or not."""
    if not everything:
        output.say_json(state.user_file) if as_json else output.say(state.user_file)
        return
    paths = {name: str(value) if value else None for name, value in state.config.paths()._asdict().items()}
    output.say_json(paths) if as_json else output.say_table([(name, value or "-") for name, value in paths.items()])


def known(key: str) -> tuple[str, ...]:
    """The names in a dotted key; InputError with the nearest one for a key that the schema does not know."""
    from heavenbase.config.check import unknown
    from heavenbase.config.schema import look_up

    path = _split(key)
    if not path or look_up(path) is None:
        raise InputError(unknown(path))
    return path


def _split(key: str) -> tuple[str, ...]:
    from heavenbase.config.values import split_key
    from heavenbase.errors import ConfigError

    try:
        return split_key(key)
    except ConfigError as error:
        raise InputError(error.message) from None


def _read_value(key: str) -> str:
    if output.is_terminal(sys.stdin):
        return str(click.prompt(key, hide_input=True, err=True))
    from hb_cli.inputs import piped_text

    return piped_text().rstrip("\n")


def plain(value: Any) -> Any:
    """A section as a plain dictionary, its references resolved."""
    return value.copy() if hasattr(value, "copy") and isinstance(value, dict) else value


def _say_items(key: str, table: dict[str, Any]) -> None:
    from heavenbase.config.values import join_key, leaves

    for path, value in leaves(table, _split(key)):
        output.say(f"{join_key(path)} = {output.brief(value)}")


def _say_story(story: Explanation, value: Any, as_json: bool) -> None:
    overridden = [(str(origin), before) for origin, before in story.overridden]
    if as_json:
        output.say_json(
            {
                "key": story.key,
                "value": value,
                "origin": str(story.origin) if story.origin is not None else None,
                "overrides": [{"origin": origin, "value": before} for origin, before in overridden],
                "types": list(story.types),
                "default": story.default,
                "description": story.description,
            }
        )
        return
    rows = [(story.key, output.brief(value)), ("from", str(story.origin or "nothing sets it"))]
    rows += [("instead of", f"{output.brief(before)} from {origin}") for origin, before in overridden]
    rows += [("takes", " or ".join(story.types)), ("meaning", story.description)]
    output.say_table(rows)
