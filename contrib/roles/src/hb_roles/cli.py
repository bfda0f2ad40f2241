"""`hb roles`: what a file of roles says, whether its calls could be made, and the variables that it reads."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from hb_cli import output

if TYPE_CHECKING:
    from hb_roles.models import RuntimeConfig

FILE = "llmhub.yaml"
file_argument = click.argument("file", required=False, default=FILE, metavar="[FILE]")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("roles", help=f"Roles of a file: names that stand for a provider, a model and parameters ({FILE}).")
def group() -> None:
    pass


@group.command("list", help=f"List the roles of FILE (default: {FILE}).")
@file_argument
@json_option
def list_roles(file: str, as_json: bool) -> None:
    """Print one line a role."""
    config = _load(file)
    rows = [{"role": name, **role.model_dump()} for name, role in config.roles.items()]
    if config.defaults is not None:
        rows.append({"role": "(any other)", **config.defaults.model_dump()})
    if as_json:
        output.say_json({"project": config.project, "env": config.env, "roles": [_shown(row) for row in rows]})
        return
    if not rows:
        output.say("no roles")
        return
    names = ("role", "provider", "model", "mode")
    table = [[*(row[name] for name in names), _params(row["params"])] for row in rows]
    output.say_table(table, (*names, "params"))


@group.command(help=f"Check FILE (default: {FILE}) and every role in it; sends nothing.")
@file_argument
@click.option("--strict-env", is_flag=True, help="Also fail where a variable is not set.")
@json_option
def check(file: str, strict_env: bool, as_json: bool) -> int:
    """Say of each role whether its calls could be made; exit code 1 where one could not."""
    from hb_roles.hub import LLMHub
    from hb_roles.settings import missing
    from heavenbase.errors import HBError, PluginLoadError

    config = _load(file)
    rows: list[dict[str, Any]] = []
    with LLMHub(config_obj=config) as hub:
        lost = dict(missing(config))
        for name, role in config.roles.items():
            problem, target = "", ""
            try:
                spec = hub.target(name)
                target = f"{spec.provider}/{spec.model_id} over {spec.gateway}"
                if role.mode == "audio":
                    problem = "mode audio: no gateway speaks or transcribes yet"
            except (HBError, PluginLoadError) as error:
                problem = str(error)
            warning = f"{lost[role.provider]} is not set" if role.provider in lost else ""
            rows.append({"role": name, "target": target, "problem": problem, "warning": warning})
    is_wrong = any(row["problem"] or (strict_env and row["warning"]) for row in rows)
    if as_json:
        output.say_json({"ok": not is_wrong, "roles": rows})
        return int(is_wrong)
    for row in rows:
        problem = row["problem"] or row["warning"]
        is_bad = bool(row["problem"] or (strict_env and row["warning"]))
        word, style = ("wrong", output.RED) if is_bad else ("unset", output.YELLOW) if problem else ("ok", output.GREEN)
        output.say_marked(output.styled(f"{word:5}", style, sys.stdout), f"{row['role']}: {problem or row['target']}")
    return int(is_wrong)


@group.command(help=f"List the variables that FILE (default: {FILE}) reads keys from, and whether they are set.")
@file_argument
@json_option
def env(file: str, as_json: bool) -> int:
    """Print one line a variable, never its value; exit code 1 where one is not set."""
    from hb_roles.settings import variables_of

    found = variables_of(_load(file), os.environ)
    if as_json:
        output.say_json([{"provider": name, "variable": variable, "state": state} for name, variable, state in found])
    elif found:
        output.say_table(found, ("provider", "variable", "state"))
    else:
        output.say("no provider names a variable; each is asked by its own")
    return int(any(state != "set" for _, _, state in found))


def _load(file: str) -> RuntimeConfig:
    from hb_roles.config_loader import load_runtime_config

    return load_runtime_config(file)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    from hb_roles.hooks import shown

    return {**row, "params": shown(row["params"])}


def _params(params: dict[str, Any]) -> str:
    from hb_roles.hooks import shown

    return " ".join(f"{name}={output.brief(value)}" for name, value in shown(params).items())
