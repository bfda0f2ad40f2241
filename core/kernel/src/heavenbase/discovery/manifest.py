"""Provider manifests: `provider.toml` files, found and read without importing their package.

[provider]                  the record: base_url, base_url_env, api_key_env, gateway, wire, prefixes, aliases, …
[[provider.parameters]]     rules by model pattern: rename, drop, clamp
[models.<name>]             models that only this provider has
[presets.<name>]            presets that it brings
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from heavenbase.errors import PluginContractError


@dataclass(frozen=True, slots=True)
class Manifest:
    """One provider manifest: `provider` is its record, `models` and `presets` what it adds to the catalogue."""

    provider: dict[str, Any]
    models: dict[str, Any]
    presets: dict[str, Any]


def manifest_path(package: str, manifest: str = "provider.toml") -> Path | None:
    """Where a package's manifest lies, found without importing it; None when it has none."""
    top, *rest = package.split(".")
    loaded = sys.modules.get(top)
    found = getattr(loaded, "__spec__", None) or PathFinder.find_spec(top)
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        path = Path(folder, *rest, manifest)
        if path.is_file():
            return path
    return None


@lru_cache(maxsize=256)
def read_manifest(package: str, manifest: str = "provider.toml") -> Manifest:
    """The manifest of a package; PluginContractError when it is missing or malformed."""
    path = manifest_path(package, manifest)
    if path is None:
        raise PluginContractError(f"package {package!r} has no {manifest}; a provider plugin needs one")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PluginContractError(f"{package}/{manifest}: {error}") from error
    record = data.get("provider")
    if not isinstance(record, dict):
        raise PluginContractError(f"{package}/{manifest} has no table [provider]")
    return Manifest(record, data.get("models", {}), data.get("presets", {}))
