"""`hb doctor`: checks the installation; the one command that imports every plugin."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hb_cli import checks, output
from hb_cli.failures import scrubber
from hb_cli.kernel_checks import check_kernel
from hb_cli.plugin_checks import check_plugins
from hb_cli.state import State, pass_state
from hb_cli.target import json_option

if TYPE_CHECKING:
    from hb_cli.checks import Check

STYLES = {"ok": output.GREEN, "info": output.DIM, "warn": output.YELLOW, "broken": output.RED}


@click.command()
@json_option
@pass_state
def doctor(state: State, as_json: bool) -> int:
    """Check the installation and say what is wrong.

    Imports every plugin, each within heavenbase.plugins.import_timeout. Exits with 1 when something is broken.
    """
    found = [*checks.check_versions(), *checks.check_settings(state)]
    if not any(check.status == "broken" for check in found):
        found += check_kernel(state)
        found += check_plugins(state)
        found += checks.check_keys(state)
        found += checks.check_routes(state)
        found = _once(found)
    found += checks.check_shadows(state)
    found += checks.check_folders()
    found += checks.check_network()
    broken = any(check.status == "broken" for check in found)
    scrub = scrubber(state)
    if as_json:
        rows = [{name: scrub(text) for name, text in check._asdict().items()} for check in found]
        output.say_json({"ok": not broken, "checks": rows})
    else:
        _say(found, scrub)
    return 1 if broken else 0


def _once(found: list[Check]) -> list[Check]:
    """What is wrong in one place stops several things, and is told where it is found first."""
    kept: list[Check] = []
    for check in found:
        is_wrong = check.status in ("warn", "broken")
        if not (is_wrong and any(check.detail in other.detail for other in kept if other.status == "broken")):
            kept.append(check)
    return kept


def _say(found: list[Check], scrub: output.Scrub) -> None:
    width = max(len(check.name) for check in found)
    for check in found:
        mark = output.styled(f"{check.status:<6}", STYLES[check.status], sys.stdout)
        text = scrub(check.detail + (f"; {check.remedy}" if check.remedy else ""))
        output.say_marked(mark, f"{check.name:<{width}}  {output.one_line(text)}")
