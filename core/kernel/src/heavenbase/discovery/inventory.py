"""Which plugins are installed, read from metadata without importing any of them.

The answer is kept in an index file keyed by the modification times of the folders on sys.path, because importing
importlib.metadata and reading every distribution costs more than all else at start. A missing, stale or damaged
index is only slower.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavenbase.errors import PluginContractError

if TYPE_CHECKING:
    from heavenbase.discovery.manifest import Slip

KINDS = ("gateways", "providers", "caches", "vision", "middleware", "judges", "tables", "contrib")
COMMANDS = "cli"
"""The kind of commands for `hb`: found, allowed and locked like plugins, but click commands and no plugin objects."""
GROUPS = {f"heavenbase.{kind}": kind for kind in (*KINDS, COMMANDS)}
FORMAT = 11
LISTS = ("shadows", "known_gateways", "places", "with_provider", "unreadable", "slips")
TABLES = ("models", "presets", "known_providers", "known_keys")
INDEX_LIMIT = 32

_scanned: dict[str, bytes] = {}
"""The indexes that this process made, by name: a home that is new or read-only must not cost every kernel a scan."""


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One installed plugin or command: `value` is its entry point, `manifest` its provider.toml's tables (or None)."""

    kind: str
    name: str
    value: str
    distribution: str
    version: str
    location: str
    manifest: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """`kind:name`, as pluggy and the lists show it."""
        return f"{self.kind}:{self.name}"

    @property
    def package(self) -> str:
        """The module that the entry point names."""
        return self.value.partition(":")[0].strip()


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is installed: plugins, the catalogue of core, and distributions that shadow the import name.

    `known_gateways` are those of this project, installed or not, `places` those with an address of their own,
    `with_provider` those that their provider's distribution brings; `known_providers` has the distribution of each
    provider of this project, `known_keys` the variables of its keys; `unreadable` says which distributions and
    manifests were left out, and why; `slips` has (provider, manifest file, complaint) for each misspelt name in a
    manifest, and for each variable that it must not read.
    """

    plugins: tuple[PluginInfo, ...]
    models: dict[str, Any]
    presets: dict[str, Any]
    shadows: tuple[str, ...] = ()
    known_gateways: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    with_provider: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    slips: tuple[list[str], ...] = ()
    known_providers: dict[str, str] = field(default_factory=dict)
    known_keys: dict[str, list[str]] = field(default_factory=dict)

    def is_ours(self, plugin: PluginInfo) -> bool:
        """Whether a provider comes in the distribution of this project that has its name."""
        return self.known_providers.get(plugin.name) == normal_name(plugin.distribution)

    def gateway_distribution(self, name: str) -> str:
        """The distribution to install for a gateway that is not installed."""
        return f"hb-{'provider' if name in self.with_provider else 'gateway'}-{name}"

    def claims(self, kind: str, name: str) -> list[PluginInfo]:
        """All plugins of this name, in a stable order; more than one is a conflict."""
        return sorted((p for p in self.plugins if p.kind == kind and p.name == name), key=lambda p: p.distribution)

    def names(self, kind: str) -> list[str]:
        """The installed names of a kind, sorted."""
        return sorted({plugin.name for plugin in self.plugins if plugin.kind == kind})

    def check_slips(self, provider: str | None, model: str | None, preset: str | None) -> None:
        """PluginContractError for a misspelt name in what manifests say of these; packaged names are none of theirs."""
        named = (("models", model, self.models), ("presets", preset, self.presets))
        brought = tuple(f"{kind}.{name}." for kind, name, packaged in named if name not in packaged)
        for owner, file, line in self.slips:
            if owner == provider or line.startswith(brought):
                raise PluginContractError(f"{file}, the manifest of provider {owner!r}: {line}")


def normal_name(name: str) -> str:
    """A distribution's or plugin's name as PEP 503 compares them: lower case, `-` for every run of - _ and dots."""
    return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)


def discover(index_dir: Path | None, paths: Iterable[str] | None = None) -> Inventory:
    """The inventory of `paths` (sys.path by default), from the index in `index_dir` when it is fresh."""
    searched = [path or os.getcwd() for path in (sys.path if paths is None else paths)]
    stamps = {path: stamp for path in searched if (stamp := _stamp(path)) is not None}
    name = _index_name(stamps)
    file = index_dir / name if index_dir is not None else None
    data = _read_index(file, name)
    if data is None or data["stamps"] != stamps:
        # A folder such as the working directory changes all the time: what counts is the distributions in it.
        contents = {path: _contents(path) for path in stamps}
        if data is None or data["contents"] != contents:
            data = {**_scan(list(stamps)), "contents": contents}
        data = {**data, "stamps": stamps}
        _write_index(file, name, data)
    try:
        return _inventory(data)
    except (KeyError, TypeError):  # an index with the right stamps and a wrong shape
        return _inventory(_scan(list(stamps)))


def _inventory(data: dict[str, Any]) -> Inventory:
    fields: dict[str, Any] = {name: tuple(data[name]) for name in LISTS}
    fields.update((name, dict(data[name])) for name in TABLES)
    return Inventory(tuple(PluginInfo(**row) for row in data["plugins"]), **fields)


def _stamp(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _index_name(stamps: dict[str, int]) -> str:
    from hashlib import blake2b

    return f"plugins-{blake2b(os.pathsep.join([sys.prefix, *stamps]).encode(), digest_size=8).hexdigest()}.json"


def _contents(path: str) -> list[list[Any]]:
    try:
        with os.scandir(path) as entries:
            found = [entry for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
            return sorted([entry.name, entry.stat().st_mtime_ns] for entry in found)
    except OSError:
        return []


def _read_index(file: Path | None, name: str) -> dict[str, Any] | None:
    content = _scanned.get(name, b"")
    if file is not None:
        with suppress(OSError):
            content = file.read_bytes()
    try:
        data = _parsed(content)
        if data["format"] != FORMAT or not isinstance(data["stamps"], dict):
            return None
        fresh = all(_stamp(path) == stamp for path, stamp in data["files"])
    except (ValueError, KeyError, TypeError):
        return None
    return data if fresh else None


@lru_cache(maxsize=4)
def _parsed(content: bytes) -> dict[str, Any]:
    """The data of an index, to be read only: kernels of one process share it."""
    data: dict[str, Any] = json.loads(content)
    return data


def _write_index(file: Path | None, name: str, data: dict[str, Any]) -> None:
    content = json.dumps(data, separators=(",", ":")).encode()
    if len(_scanned) >= INDEX_LIMIT:
        _scanned.clear()
    _scanned[name] = content
    if file is None:
        return
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.replace(temporary, file)
        # One index for each environment that this user has: those long unused go.
        for old in sorted(file.parent.glob("plugins-*.json"), key=os.path.getmtime)[:-INDEX_LIMIT]:
            old.unlink(missing_ok=True)
    except OSError:
        # The index only saves time: a read-only home must not stop anybody.
        with suppress(OSError):
            temporary.unlink()


def _scan(paths: list[str]) -> dict[str, Any]:
    import tomllib
    from email.parser import HeaderParser
    from importlib.metadata import distributions

    from heavenbase.discovery.manifest import manifest_path, manifest_text, package_folders

    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    files: list[list[Any]] = []
    shadows: set[str] = set()
    unreadable: list[str] = []
    slips: list[list[str]] = []

    def read(path: Path) -> dict[str, Any]:
        # Of a manifest in an archive, the archive is watched.
        file = next((str(each) for each in (path, *path.parents) if each.is_file()), str(path))
        files.append([file, _stamp(file)])
        try:
            return tomllib.loads(manifest_text(path))
        except (OSError, ValueError):  # reported by `hb doctor` and on use, not while others are being found
            return {}

    for distribution in distributions(path=paths):
        try:
            # Not `metadata` and `version`, each of which reads the description too, which is most of the file.
            text = next(filter(None, map(distribution.read_text, ("METADATA", "PKG-INFO", ""))), None)
            if text is None:
                raise FileNotFoundError("METADATA is missing")
            head = HeaderParser().parsestr(text.partition("\n\n")[0])
            name, version = str(head["Name"] or ""), str(head["Version"])
            entries = [(GROUPS[e.group], e) for e in distribution.entry_points if e.group in GROUPS]
        except Exception as error:  # left-over folders and damaged metadata are common; the others still count
            unreadable.append(f"{getattr(distribution, '_path', 'a distribution')}: {type(error).__name__}: {error}")
            continue
        if name.lower() == "heavenbase":
            shadows.add(f"{name} {version}")
        for kind, entry in entries:
            if (kind, entry.name, name) in rows:
                continue  # the same distribution found again further down the path
            info = PluginInfo(kind, entry.name, entry.value, name, version, str(distribution.locate_file("")))
            row = rows[kind, entry.name, name] = asdict(info)
            places = (manifest_path(info.package, file) for file in (f"{entry.name}.toml", "provider.toml"))
            path = next(filter(None, places), None) if kind == "providers" else None
            if path is not None:
                row["manifest"], problem, found = _sound(read(path))
                slips += [[entry.name, f"{path} of {name}", line] for line in found]
                if problem is not None:
                    unreadable.append(f"{path} of {name}: {problem}")
            elif kind == "providers" and package_folders(info.package) is None:
                unreadable.append(
                    f"{info.key} of {name}: package {info.package!r} is not found, so its names are unknown"
                )
    data = Path(__file__).parents[1] / "data"
    return {
        **read(data / "known.toml"),
        "format": FORMAT,
        "files": files,
        "plugins": [rows[key] for key in sorted(rows)],
        "models": read(data / "models.toml").get("models", {}),
        "presets": read(data / "presets.toml").get("presets", {}),
        "shadows": sorted(shadows),
        "unreadable": unreadable,
        "slips": slips,
    }


def _sound(manifest: dict[str, Any]) -> tuple[dict[str, Any], str | None, list[Slip]]:
    """A manifest whose types the catalogue can rely on, else none of it and what is wrong; and its slips.

    Other unknown keys are left: a manifest may be younger than this core.
    """
    from heavenbase.discovery.manifest import Slip, check_manifest

    # An empty one is that of a file that cannot be read.
    lines = check_manifest(manifest) if manifest else []
    slips = [line for line in lines if isinstance(line, Slip)]
    problem = next((line for line in lines if ": must be " in line and "one of" not in line), None)
    return (manifest, None, slips) if problem is None else ({}, problem, slips)
