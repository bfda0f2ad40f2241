"""Which project folders the user trusts, and what an untrusted one may not set.

A `heavenbase.toml` or `.env` comes with a checkout, so its author may be anybody. Until the user has said
`hb trust <folder>`, it may not move an endpoint, add headers, choose plugins or middleware, or read environment
variables: each could send the user's credentials, or what they protect, to somebody else. An endpoint of the project's
own, with a literal credential in the same file and nothing of the user's in that row, is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from heavenbase.config.files import Variable, make_folder, parse_settings, read_text, user_folder, write_atomic
from heavenbase.config.layers import Layer
from heavenbase.config.schema import look_up
from heavenbase.config.values import ABSENT, find, fold, has_reference, join_key, leaves
from heavenbase.errors import ConfigError, ConfigTrustError
from heavenbase.options import CONNECTION, CREDENTIALS

TRUST_FILE = "trusted.toml"
_PROVIDERS = ("heavenbase", "llm", "providers")
_OWN_ENDPOINT = CONNECTION - CREDENTIALS
_TLS_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def trust_file(environ: Mapping[str, str] | None = None) -> str:
    """The path of the file that lists trusted folders."""
    return os.path.join(user_folder("config", os.environ if environ is None else environ), TRUST_FILE)


def trusted_folders(environ: Mapping[str, str] | None = None) -> list[str]:
    """The trusted folders, as real paths; ConfigError when the list is malformed or others may write to it."""
    path = trust_file(environ)
    if not os.path.exists(path):
        return []
    text, exposed = read_text(path)
    if exposed:
        raise ConfigError(f"{path}: other users may write to it, so it says nothing; run: chmod go-w {path}")
    folders = parse_settings(text, path).get("folders", [])
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise ConfigError(f"{path}: folders must be a list of strings")
    return folders


def is_trusted(folder: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> bool:
    """Say whether exactly this folder, not one above it, was trusted by the user."""
    return os.path.realpath(folder) in trusted_folders(environ)


def trust(folder: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> str:
    """Let the project files in `folder` set everything; returns the real path that is remembered."""
    real = os.path.realpath(folder)
    if not os.path.isdir(real):
        raise ConfigError(f"{real} is not a folder")
    folders = trusted_folders(environ)
    if real not in folders:
        _write([*folders, real], environ)
    return real


def untrust(folder: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> bool:
    """Take trust back; returns whether the folder was trusted."""
    real = os.path.realpath(folder)
    folders = trusted_folders(environ)
    if real in folders:
        _write([other for other in folders if other != real], environ)
    return real in folders


def _write(folders: Sequence[str], environ: Mapping[str, str] | None) -> None:
    import json

    path = trust_file(environ)
    make_folder(os.path.dirname(path))
    lines = "".join(f"    {json.dumps(folder, ensure_ascii=False)},\n" for folder in sorted(folders))
    write_atomic(os.path.realpath(path), f"folders = [\n{lines}]\n")


def check_project(layer: Layer, layers: Sequence[Layer]) -> None:
    """Raise ConfigTrustError when an untrusted layer sets what needs trust; `layers` are all of the configuration."""
    if layer.trusted:
        return
    found = [(layer.origin(path), f"{join_key(path)} {why}") for path, why in _offences(layer, layers)]
    if found:
        lines = [f"{origin.file}:{origin.line}: {what}" for origin, what in found]
        raise ConfigTrustError("\n".join([*lines, remedy(os.path.dirname(found[0][0].file or ""))]))


def remedy(folder: str) -> str:
    """What to do about settings that need trust."""
    return f"this could send your credentials elsewhere; read the file, then run `hb trust {folder}` if you want it"


def _offences(layer: Layer, layers: Sequence[Layer]) -> Iterator[tuple[tuple[str, ...], str]]:
    for path, value in leaves(layer.values):
        found = look_up(path)
        if has_reference(value):
            yield path, "reads the environment"
        elif found is not None and found.guarded and not _own_endpoint(path, layer, layers):
            yield path, "is set by a project that is not trusted"


def _own_endpoint(path: tuple[str, ...], layer: Layer, layers: Sequence[Layer]) -> bool:
    if path[:3] != _PROVIDERS or len(path) < 5 or path[4] not in _OWN_ENDPOINT:
        return False
    row = find(layer.values, path[:4])
    if not any(isinstance(row.get(name), str) and row[name] for name in CREDENTIALS):
        return False
    tables = [find(other.values, _PROVIDERS) for other in layers if other.trusted]
    return all(fold(row) != fold(path[3]) for rows in tables if rows is not ABSENT for row in rows)


def check_variables(variables: Mapping[str, Variable], file: str) -> None:
    """Refuse a proxy or certificate authority from the `.env` of an untrusted folder: ConfigTrustError."""
    for name, variable in variables.items():
        if name.upper().endswith("_PROXY") or name.upper() in _TLS_VARIABLES:
            raise ConfigTrustError(f"{file}:{variable.line}: {name} {remedy(os.path.dirname(file))}")
