"""`hb plugins`: what is installed and may load, read from metadata and settings; no plugin is ever imported here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from hb_cli import output
from hb_cli.lazy import Entry, LazyGroup
from hb_cli.state import State, pass_state
from hb_cli.target import json_option

if TYPE_CHECKING:
    from heavenbase.discovery.inventory import PluginInfo

HERE = "hb_cli.plugins"
TABLE = {
    "list": Entry(f"{HERE}:list_plugins", "List what is installed, with its state."),
    "info": Entry(f"{HERE}:info", "Show the metadata of a plugin."),
    "enable": Entry(f"{HERE}:enable", "Let a disabled plugin load again."),
    "disable": Entry(f"{HERE}:disable", "Keep a plugin from loading."),
    "lock": Entry(f"{HERE}:lock", "Let only the plugins load that are installed now."),
}
SINGULAR = {
    "gateways": "gateway",
    "providers": "provider",
    "caches": "cache",
    "judges": "judge",
    "tables": "table",
    "cli": "command",
}
DISABLED, LOCK = "heavenbase.plugins.disabled", "heavenbase.plugins.lock"
LOCK_FILE = "plugins.lock.toml"


@click.group(cls=LazyGroup, table=TABLE, aliases={"ls": "list", "show": "info"}, default="list")
def plugins() -> None:
    """List, inspect, enable, disable and lock plugins. None is imported, so a broken one does no harm here."""


@click.command("list")
@json_option
@pass_state
def list_plugins(state: State, as_json: bool) -> None:
    """List what is installed: kind, name, distribution, version, and whether it may load."""
    rows = [_row(state, info) for info in state.inventory.plugins]
    if as_json:
        output.say_json({"plugins": rows})
        return
    names = ("kind", "name", "distribution", "version", "status")
    output.say_table([[row[name] for name in names] for row in rows], names)
    for reason in dict.fromkeys([*(row["reason"] for row in rows if row["reason"]), *state.catalog.claims.refused]):
        output.warn(reason)


@click.command()
@click.argument("name")
@json_option
@pass_state
def info(state: State, name: str, as_json: bool) -> None:
    """Show the metadata of a plugin: entry point, manifest, state.

    NAME is a name, kind:name, or a distribution.
    """
    from heavenbase.hookspecs import CONTRACT_VERSION

    rows = [
        {
            **_row(state, found),
            "entry_point": f"heavenbase.{found.kind}: {found.name} = {found.value}",
            "location": found.location,
            # What a plugin declares is in its code, which is not imported here.
            "contract": f"hb-kernel speaks 1 to {CONTRACT_VERSION}; `hb doctor` checks the plugin's own",
            "manifest": found.manifest,
        }
        for found in _named(state, name)
    ]
    if as_json:
        output.say_json({"plugins": rows})
        return
    for place, row in enumerate(rows):
        if place:
            output.say()
        manifest = row.pop("manifest")
        output.say_table([[field, value] for field, value in row.items() if value])
        if manifest is not None:
            output.say(f"manifest\n{_toml(manifest)}")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@pass_state
def disable(state: State, names: tuple[str, ...]) -> None:
    """Keep plugins from loading: NAME is a name, kind:name, or a distribution."""
    keys = [key for name in names for key in _keys(state, name)]
    before = _disabled(state)
    _write_disabled(state, [*before, *(key for key in dict.fromkeys(keys) if key not in before)])
    for key in keys:
        output.say(f"{key} is disabled")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@pass_state
def enable(state: State, names: tuple[str, ...]) -> None:
    """Let disabled plugins load again: NAME is a name, kind:name, or a distribution."""
    before = _disabled(state)
    chosen: list[str] = []
    for name in names:
        # Also what is not installed any more must be possible to take off the list.
        keys = _listed(before, [_canonical(name)]) or _listed(before, _keys(state, name))
        if not keys:
            output.note(f"{name} is not disabled in {state.user_file}")
        chosen += keys
    if chosen:
        _write_disabled(state, [key for key in before if key not in chosen])
    for key in chosen:
        output.say(f"{key} is enabled")


@click.command()
@pass_state
def lock(state: State) -> None:
    """Let only the plugins load that are installed now, in these versions with these files.

    Writes plugins.lock.toml beside the settings file, and names it there. To end it: hb cfg unset
    heavenbase.plugins.lock
    """
    import tomlkit

    from hb_cli.settings_edit import set_value
    from heavenbase.config.files import write_atomic
    from heavenbase.discovery.lock import is_editable, lock_data

    path = os.path.join(os.path.dirname(os.path.realpath(state.user_file)), LOCK_FILE)
    infos = state.inventory.plugins
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    write_atomic(path, tomlkit.dumps(lock_data(infos)))
    set_value(state.user_file, LOCK, path)
    if editable := sorted({info.distribution for info in infos if is_editable(info)}):
        output.say(f"editable installs, whose files no lock can verify: {', '.join(editable)}")
    output.say(f"{len(infos)} plugins locked in {path}")


def _row(state: State, found: PluginInfo) -> dict[str, Any]:
    status, reason = _status(state, found)
    return {
        "kind": SINGULAR.get(found.kind, found.kind),
        "name": found.name,
        "distribution": found.distribution,
        "version": found.version,
        "status": status,
        "reason": reason,
    }


def _status(state: State, found: PluginInfo) -> tuple[str, str]:
    """ok, disabled, blocked or conflict, and why."""
    from heavenbase.discovery.importing import check_allowed, is_named
    from heavenbase.errors import HBError

    claims = state.inventory.claims(found.kind, found.name)
    if len(claims) > 1:
        owners = " and ".join(f"{claim.distribution} {claim.version}" for claim in claims)
        return "conflict", f"{owners} both claim {found.key}; uninstall one of them"
    settings = state.plugin_settings
    if is_named(found, settings.get("disabled")):
        return "disabled", ""
    try:
        check_allowed(settings, found)
    except HBError as error:
        return "blocked", error.message
    return "ok", ""


def _canonical(name: str) -> str:
    """`gateway:openai` as `gateways:openai`, as the settings have it."""
    kind, found, rest = name.partition(":")
    plural = next((many for many, one in SINGULAR.items() if one == kind), kind)
    return f"{plural}:{rest}" if found else name


def _listed(before: list[str], wanted: list[str]) -> list[str]:
    """The entries of the list that mean one of the wanted names, however they are spelt."""
    from heavenbase.discovery.inventory import normal_name

    names = set(map(normal_name, wanted))
    return [entry for entry in before if normal_name(entry) in names]


def _named(state: State, name: str) -> list[PluginInfo]:
    wanted = _canonical(name)
    infos = state.inventory.plugins
    found = [info for info in infos if wanted in (info.key, info.name, info.distribution)]
    if not found:
        from heavenbase.errors import UnknownNameError

        choices = {choice for info in infos for choice in (info.name, info.distribution)}
        raise UnknownNameError("plugin", name, sorted(choices))
    return found


def _keys(state: State, name: str) -> list[str]:
    """The entries of `heavenbase.plugins.disabled` that a name means; InputError when several packages have it."""
    found = _named(state, name)
    if any(info.distribution == name for info in found):
        return [name]
    if len({info.distribution for info in found}) > 1 and ":" not in name:
        from heavenbase.errors import InputError

        raise InputError(f"{name!r} may be {' or '.join(info.key for info in found)}; name one of them")
    return list(dict.fromkeys(info.key for info in found))


def _disabled(state: State) -> list[str]:
    """The list in the file that is edited; entries of other layers must not be copied into it."""
    from heavenbase.config.files import read_settings
    from heavenbase.config.values import find, split_key

    if not os.path.exists(state.user_file):
        return []
    found = find(read_settings(state.user_file).values, split_key(DISABLED))
    return list(found) if isinstance(found, list) else []


def _write_disabled(state: State, keys: list[str]) -> None:
    from hb_cli.settings import warn_if_overridden
    from hb_cli.settings_edit import set_value, unset

    if keys:
        set_value(state.user_file, DISABLED, keys)
    else:
        unset(state.user_file, DISABLED)
    warn_if_overridden(state, DISABLED)


def _toml(manifest: dict[str, Any]) -> str:
    import tomlkit

    text = tomlkit.dumps(manifest).rstrip()
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))
