"""The checks of `hb doctor` about plugins: conflicts, manifests, and whether each can be imported and used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hb_cli.checks import Check
from hb_cli.kernel_checks import REMEDY, told
from heavenbase.errors import HBError, PluginBlocked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_cli.state import State
    from heavenbase.discovery.inventory import PluginInfo


def check_plugins(state: State) -> Iterator[Check]:
    """Every installed plugin and command: imports it, within the import timeout."""
    from heavenbase.discovery.inventory import COMMANDS

    for claim in state.catalog.claims.refused:
        yield Check("names", "warn", claim, "left out; a name of your own settings decides")
    seen: set[str] = set()
    for info in state.inventory.plugins:
        if info.key in seen:
            continue
        seen.add(info.key)
        yield from _manifest(state, info)
        yield _command(state, info) if info.kind == COMMANDS else _plugin(state, info)


def _manifest(state: State, info: PluginInfo) -> Iterator[Check]:
    from heavenbase.discovery.manifest import check_manifest

    gateways = {*state.inventory.names("gateways"), *state.inventory.known_gateways}
    for problem in check_manifest(info.manifest, gateways) if info.manifest else ():
        yield Check("manifest", "warn", f"{info.key} of {info.distribution}: {problem}")


def _plugin(state: State, info: PluginInfo) -> Check:
    from heavenbase.discovery.plugin_settings import settings_of
    from heavenbase.middleware import Configured
    from heavenbase.plugin import Provider

    origin = f"{info.key} of {info.distribution} {info.version}"
    try:
        plugin = state.kernel.registry.load(info.kind, info.name)
    except PluginBlocked as error:
        return Check("plugin", "info", error.message)
    except Exception as error:
        return Check("plugin", "broken", told(error), f"or keep it out: hb plugins disable {info.key}")
    try:
        if isinstance(plugin, Configured):
            settings_of(state.config, info.kind, plugin)
    except HBError as error:
        return Check("plugin", "warn", error.message, REMEDY)
    try:
        check = getattr(plugin, "check", None)
        if check is not None:
            check()
        if isinstance(plugin, Provider) and type(plugin).record is Provider.record:
            plugin.record("", "")  # which says where the manifest did not come along with its package
        status = dict(plugin.status())
    except ImportError as error:
        return Check("plugin", "warn", f"{origin}: {error}")
    except Exception as error:
        return Check("plugin", "broken", f"{origin}: {type(error).__name__}: {error}")
    problem = status.pop("problem", None)
    if problem:
        return Check("plugin", "warn", f"{origin}: {problem}")
    return Check("plugin", "ok", f"{origin}, contract {plugin.contract}{_told(status)}")


def _command(state: State, info: PluginInfo) -> Check:
    from hb_cli.app import app

    try:
        found = app.get_command(click.Context(app, obj=state), info.name)
    except PluginBlocked as error:
        return Check("plugin", "info", error.message)
    except HBError as error:
        return Check("plugin", "broken", error.message, f"or keep it out: hb plugins disable {info.key}")
    if info.name in app.table:
        return Check("plugin", "warn", f"{info.key} of {info.distribution}: hb has a command of this name, which wins")
    return Check(
        "plugin", "ok", f"{info.key} of {info.distribution} {info.version}, command {found.name if found else ''}"
    )


def _told(status: dict[str, Any]) -> str:
    known = [f"{name} {value}" for name, value in status.items() if value is not None]
    return f" ({', '.join(known)})" if known else ""
