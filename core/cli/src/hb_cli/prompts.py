"""`hb prompts`: the templates of the settings; and how `hb chat` reads one with its values."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from hb_cli import output
from hb_cli.lazy import Entry, LazyGroup
from hb_cli.state import State, pass_state
from hb_cli.target import json_option
from heavenbase.errors import HBError, InputError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.prompts import PromptTemplate

SETTINGS = "heavenbase.llm.prompts"
FILES = (".toml", ".md", ".txt")
TABLE = {
    "list": Entry("hb_cli.prompts:list_prompts", "List the templates of the settings."),
    "show": Entry("hb_cli.prompts:show", "Show the messages and parameters of a template, by its name or file."),
}


@click.group(cls=LazyGroup, table=TABLE, aliases={"ls": "list"})
def prompts() -> None:
    """Templates of prompts, listed and shown; `hb chat --prompt NAME` uses one."""


@click.command("list")
@json_option
@pass_state
def list_prompts(state: State, as_json: bool) -> None:
    """List the templates of the settings, with what each takes."""
    rows = [_row(state, name) for name in state.config.section(SETTINGS, raw=True)]
    if as_json:
        output.say_json({"prompts": rows})
    elif rows:
        cells = [(row["prompt"], ", ".join(p["name"] for p in row["parameters"]), row["description"]) for row in rows]
        output.say_table(cells, ("prompt", "parameters", "description"))
    else:
        output.note(f"there are none; [{SETTINGS}.NAME] in the settings makes one")


@click.command()
@click.argument("name", metavar="NAME|FILE")
@json_option
@pass_state
def show(state: State, name: str, as_json: bool) -> None:
    """Show the messages and parameters of a template, by its name or file."""
    found = read_template(state, name)
    if as_json:
        messages = [{"role": role, "content": text} for role, text in found.texts]
        output.say_json({**_about(found), "messages": messages})
        return
    for role, text in found.texts:
        output.say(f"{role}:")
        output.say("\n".join(f"  {line}".rstrip() for line in text.split("\n")))
    if found.parameters:
        output.say()
        cells = [(p["name"], p["type"], _default(p), p["description"]) for p in _about(found)["parameters"]]
        output.say_table(cells, ("parameter", "type", "default", "description"))


def read_template(state: State, name: str) -> PromptTemplate:
    """The template of a file, where the name has a folder or the ending of one, else of the settings."""
    from heavenbase.prompts import PromptTemplate

    if os.path.dirname(name) or name.lower().endswith(FILES):
        return PromptTemplate.load(os.path.expanduser(name))
    return PromptTemplate.from_config(name, state.config)


def read_values(template: PromptTemplate, pairs: Iterable[str]) -> dict[str, Any]:
    """`name=value` texts as values of the template's parameters; InputError for a name that it has not."""
    from hb_cli.inputs import read_images

    texts: dict[str, list[str]] = {}
    for pair in pairs:
        name, found, text = pair.partition("=")
        if not found:
            raise InputError(f"--value {name[:40]!r} is no NAME=VALUE, such as --value language=German")
        if name not in template.parameters:
            raise UnknownNameError(f"parameter of prompt {template.name!r}", name, template.parameters)
        texts.setdefault(name, []).append(text)
    values = {name: template.parameters[name].read(given) for name, given in texts.items()}
    for name, value in values.items():
        if template.parameters[name].type == "image":
            [values[name]] = read_images([value])
    return values


def _row(state: State, name: str) -> dict[str, Any]:
    from heavenbase.prompts import PromptTemplate

    try:
        return _about(PromptTemplate.from_config(name, state.config))
    except HBError as error:  # one that is wrong hides no other
        return {"prompt": name, "description": f"cannot be used: {error.message}", "parameters": []}


def _about(template: PromptTemplate) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "type": known.type,
            "required": known.is_required,
            "default": None if known.is_required else known.default,
            "choices": list(known.choices),
            "description": known.description,
        }
        for name, known in template.parameters.items()
    ]
    return {"prompt": template.name, "description": template.description, "parameters": parameters}


def _default(parameter: dict[str, Any]) -> str:
    return "(required)" if parameter["required"] else output.brief(parameter["default"])
