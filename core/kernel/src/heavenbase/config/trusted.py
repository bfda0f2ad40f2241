"""Which project folders the user trusts, and what an untrusted one may not set.

A `heavenbase.toml` or `.env` comes with a checkout, so its author may be anybody. Until the user has said
`hb trust <folder>`, it sets only what the schema and the table of options call free: models, and arguments that move
nothing and cost little. All else could send the user's credentials, or what they protect, to somebody else. An
endpoint of the project's own, with a literal credential in the same file and nothing of the user's in that row, is
allowed. Trust is in the files as they are: one that has changed since, or has another owner, is asked about again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heavenbase.config.files import (
    DOTENV_FILE,
    PROJECT_FILE,
    Variable,
    check_owner,
    is_ours,
    make_folder,
    parse_settings,
    read_text,
    user_folder,
    write_atomic,
)
from heavenbase.config.layers import Layer, Origin
from heavenbase.config.schema import look_up
from heavenbase.config.values import ABSENT, find, fold, has_reference, join_key, leaves
from heavenbase.errors import ConfigError, ConfigTrustError
from heavenbase.options import CREDENTIALS, FREE

TRUST_FILE = "trusted.toml"
PROVIDERS = ("heavenbase", "llm", "providers")
_OWN_ROW = {
    *("api_key", "auth_token", "auth_mode", "base_url", "headers", "wire", "vision", "image_endpoint"),
    *("capabilities", "models", "parameters", "known_parameters", "allow_unknown_models", "thinking_control"),
    *("text_only", "title", "description", "docs_url", "keys_url", "models_url"),
}
"""What a project may say of an endpoint of its own."""
_TLS_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def trust_file(environ: Mapping[str, str] | None = None) -> str:
    """The path of the file that lists trusted folders."""
    return os.path.join(user_folder("config", os.environ if environ is None else environ), TRUST_FILE)


def trusted_folders(environ: Mapping[str, str] | None = None) -> list[str]:
    """The trusted folders, as real paths; ConfigError when the list is malformed or others may write to it."""
    return list(_seals(environ))


def _seals(environ: Mapping[str, str] | None) -> dict[str, dict[str, str]]:
    """What each trusted folder held when the user trusted it: a digest for each of its files."""
    path = trust_file(environ)
    if not os.path.exists(path):
        return {}
    text, exposed = read_text(path)
    if exposed or not is_ours(path):
        raise ConfigError(f"{path}: other users may write to it, so it says nothing; run: chmod go-w {path}")
    folders = parse_settings(text, path).get("folders", {})
    if isinstance(folders, list):  # as the first release wrote it, which kept no digest
        folders = {folder: {} for folder in folders if isinstance(folder, str)}
    if not isinstance(folders, dict) or not all(isinstance(files, dict) for files in folders.values()):
        raise ConfigError(f"{path}: folders must be a table of files by folder")
    return folders


def is_trusted(folder: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> bool:
    """Say whether exactly this folder, not one above it, was trusted by the user with the files as they are now."""
    real = os.path.realpath(folder)
    kept = _seals(environ).get(real)
    return kept is not None and kept == _sealed(real)


def is_sealed(path: str, text: str, environ: Mapping[str, str]) -> bool:
    """Say whether the user trusted the folder of a file when it held this text."""
    folder, name = os.path.split(path)
    return _seals(environ).get(os.path.realpath(folder), {}).get(name) == _seal(path, text)


def _seal(path: str, text: str) -> str:
    from hashlib import sha256  # only where a list of trusted folders exists

    return sha256(f"{os.stat(path).st_uid}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


def _sealed(folder: str) -> dict[str, str]:
    paths = {name: os.path.join(folder, name) for name in (PROJECT_FILE, DOTENV_FILE)}
    return {name: _seal(path, read_text(path)[0]) for name, path in paths.items() if os.path.isfile(path)}


def trust(folder: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> str:
    """Let the project files in `folder`, as they are now, set everything; returns the real path that is remembered."""
    real = os.path.realpath(folder)
    if not os.path.isdir(real):
        raise ConfigError(f"{real} is not a folder")
    _write({**_seals(environ), real: _sealed(real)}, environ)
    return real


def untrust(folder: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> bool:
    """Take trust back; returns whether the folder was trusted."""
    real = os.path.realpath(folder)
    seals = _seals(environ)
    if real not in seals:
        return False
    del seals[real]
    _write(seals, environ)
    return True


def _write(seals: Mapping[str, Mapping[str, str]], environ: Mapping[str, str] | None) -> None:
    import json

    path = trust_file(environ)
    make_folder(os.path.dirname(path))
    lines = []
    for folder, files in sorted(seals.items()):
        lines.append(f"[folders.{json.dumps(folder, ensure_ascii=False)}]\n")
        lines += [f'"{name}" = "{seal}"\n' for name, seal in files.items()]
    write_atomic(os.path.realpath(path), "".join(lines))


def check_project(layer: Layer, layers: Sequence[Layer]) -> None:
    """Raise ConfigTrustError when an untrusted layer sets what needs trust; `layers` are all of the configuration."""
    if layer.trusted:
        return
    found = [(layer.origin(path), f"{join_key(path)} {why}") for path, why in _offences(layer, layers)]
    if found:
        lines = [f"{origin.file}:{origin.line}: {what}" for origin, what in found]
        raise ConfigTrustError("\n".join([*lines, remedy(found[0][0])]))


def remedy(origin: Origin) -> str:
    """What to do about settings of this origin that need trust."""
    if origin.layer == "user":
        fix = f"chown $(id -u) {origin.file}; chmod go-w {origin.file}"
        return (
            f"other users may have written it, and it could send your credentials elsewhere; read it, then run: {fix}"
        )
    folder = os.path.dirname(origin.file or "")
    return f"this could send your credentials elsewhere; read the file, then run `hb trust {folder}` if you want it"


def _offences(layer: Layer, layers: Sequence[Layer]) -> Iterator[tuple[tuple[str, ...], str]]:
    where = "file" if layer.name == "user" else "project"
    for path, value in leaves(layer.values):
        if has_reference(value):
            yield path, "reads the environment"
        elif not _is_free(path, value, layer, layers):
            yield path, f"is set by a {where} that is not trusted"


def _is_free(path: tuple[str, ...], value: Any, layer: Layer, layers: Sequence[Layer]) -> bool:
    if path[-1] == "unset" and isinstance(value, list):
        return FREE.issuperset(value)
    if path[:3] == PROVIDERS and len(path) > 4 and path[4] != "default_args":
        return path[4] in _OWN_ROW and _own_endpoint(path[3], layer, layers)
    if isinstance(value, str) and (value.startswith("arn:") or value.count("/") > 2) and path[-1] != "description":
        return False  # the path of a model that may lie in anybody's account
    found = look_up(path)
    return found is not None and found.free


def _own_endpoint(name: str, layer: Layer, layers: Sequence[Layer]) -> bool:
    row = find(layer.values, (*PROVIDERS, name))
    if not row.get("base_url") or not any(isinstance(row.get(key), str) and row[key] for key in CREDENTIALS):
        return False
    tables = [find(other.values, PROVIDERS) for other in layers if other.trusted]
    return all(fold(trusted) != fold(name) for rows in tables if rows is not ABSENT for trusted in rows)


def check_variables(variables: Mapping[str, Variable], file: str) -> None:
    """Refuse a proxy or certificate authority from the `.env` of an untrusted folder: ConfigTrustError."""
    for name, variable in variables.items():
        if is_proxy_or_authority(name):
            found = Origin("dotenv", file, variable.line, name)
            raise ConfigTrustError(f"{file}:{variable.line}: {name} {remedy(found)}")


def is_proxy_or_authority(name: str) -> bool:
    """Whether a variable decides who stands between hb and a provider."""
    return name.upper().endswith("_PROXY") or name.upper() in _TLS_VARIABLES


def vouched(path: str, text: str, start: str, environ: Mapping[str, str], trusted: bool | None) -> bool:
    """Whether the user trusts a file of a project; ConfigTrustError for one that somebody else planted.

    `trusted` overrides the list of trusted folders, `start` is the folder where the search began.
    """
    sealed = is_sealed(path, text, environ) if trusted is None else trusted
    if not sealed:
        check_owner(path, start)
    return sealed
