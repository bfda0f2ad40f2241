"""The configuration: layers of values under dotted keys, each value with its origin.

Later wins: packaged defaults, user file, project file, `.env` (only when asked for), environment, values from code.
The keys and their defaults are in `config.schema`; the check is a light one of our own, as importing pydantic would
cost more than everything else that `import heavenbase` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias, TypeVar

from heavenbase.config import check, files
from heavenbase.config import dotenv as dotenv_file
from heavenbase.config.layers import Environ, Layer, Origin, file_layer, mapping_layer, variables_layer
from heavenbase.config.schema import UNSET, Table, defaults
from heavenbase.config.section import Explanation, Section, read, shown
from heavenbase.config.trusted import PROVIDERS, check_project, remedy, vouched
from heavenbase.config.values import ABSENT, find, join_key, leaves, merge, references, split_key
from heavenbase.errors import ConfigError, ConfigTrustError, InputTypeError
from heavenbase.secrets import hide, mapped

if TYPE_CHECKING:
    from pathlib import Path

    from heavenbase.config.dotenv import Vendors

Key: TypeAlias = str | Sequence[str]
G = TypeVar("G")


class Paths(NamedTuple):
    """Files and folders of this configuration; `user_file` and the folders need not exist yet.

    They are None where the variables that were given name no home: then nothing is read or written there.
    """

    user_file: Path | None
    project_file: Path | None
    dotenv_file: Path | None
    cache_dir: Path | None
    data_dir: Path | None


def concealed(given: G) -> G:
    """Settings or variables as a caller gave them, in a form that no traceback with locals shows."""
    if isinstance(given, Config | Environ):
        return given
    # The process's own are read when they are needed, as they may change.
    return Environ(None) if given is os.environ else hide(given)  # type: ignore[return-value]


class Config:
    """Immutable settings. Values of environment variables are looked up when a value is read."""

    __slots__ = ("_fingerprint", "_layers", "_values", "environ")

    def __init__(self, layers: Sequence[Layer], environ: Environ) -> None:
        """Use `load` or `from_dict`."""
        self.environ = environ
        self._layers = tuple(layers)
        self._fingerprint = ""
        for layer in self._layers:
            check_project(layer, self._layers)
        self._values = _stacked(self._layers)

    @classmethod
    def of(cls, config: Config | Mapping[str, Any] | None, environ: Mapping[str, str] | None = None) -> Config:
        """The configuration of a kernel: as given, of a mapping (`from_dict`), or of the user's files (`load`)."""
        config, environ = concealed(config), concealed(environ)
        if config is None:
            return cls.load(environ=environ)
        if not isinstance(config, Config):
            return cls.from_dict(config, environ=environ)
        if environ is not None:
            raise InputTypeError("a Config has its environ already: give Config.load() or Config.from_dict() another")
        return config

    @classmethod
    def load(
        cls,
        *,
        user_file: str | os.PathLike[str] | None = None,
        project_dir: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
        dotenv: bool | Vendors = False,
        trusted: bool | None = None,
    ) -> Config:
        """Read all layers.

        `user_file` replaces the user's file and must exist; `project_dir` (default: the working directory) is where
        the search upward for `heavenbase.toml` begins; `environ` (default: the live environment) is copied;
        `overrides` are the last layer; `dotenv` asks for the nearest `.env` file, or, with what names the variables of
        vendors (`heavenbase.discovery.vendor_variables`), for their keys in that of the folder itself, unless
        `heavenbase.dotenv` says otherwise; `trusted` overrides the list of trusted folders. Raises ConfigError
        with file, line and nearest key, or ConfigTrustError.
        """
        overrides, base = concealed(overrides), _variables(environ)
        del environ  # it may hold credentials, and tracebacks may show locals
        layers = [Layer("default", defaults())]
        user_path = os.fspath(user_file) if user_file is not None else ""
        if not user_path and files.has_home(base):
            user_path = os.path.join(files.user_folder("config", base), files.USER_FILE)
        if user_file is not None or (user_path and os.path.exists(user_path)):
            layers.append(file_layer("user", files.read_settings(user_path), trusted=files.is_ours(user_path)))

        start = os.fspath(project_dir or _working_folder())
        project_path = files.find_upward(files.PROJECT_FILE, start, base) if start else None
        if project_path is not None:
            file = files.read_settings(project_path)
            is_trusted = vouched(project_path, file.text, start, base, trusted)
            layers.append(file_layer("project", file, trusted=is_trusted))

        found = base
        final = [variables_layer("environment", found, _stacked(layers))]
        final += [mapping_layer("overrides", overrides)] if overrides else []
        said = dotenv_file.SWITCH.get(base.get("HB_DOTENV", "").strip().lower())
        if said is None:
            said = find(_stacked([*layers, *final]), ("heavenbase", "dotenv"))
        asked = dotenv is True or said is True
        named = dotenv if callable(dotenv) and said is None and start and _has_dotenv(start) else None
        if start and (asked or named is not None):
            # The project file is checked before: an untrusted one may not ask for the .env file.
            for layer in layers:
                check_project(layer, [*layers, *final])
            below = _stacked([*layers, final[0]])
            if named is None:
                given = dotenv_file.read_all(start, base, trusted)
            else:
                rows = find(below, PROVIDERS)
                own = dotenv_file.configured_vendors({} if rows is ABSENT else rows)
                given = dotenv_file.read_keys(start, base, trusted, [*named(base), *own])
            if given is not None:
                brought = Environ({}, given.variables, given.path)
                layers.append(variables_layer("dotenv", brought, below, trusted=given.trusted))
                found = Environ(base.given, given.variables, given.path)
        return cls([*layers, *final], found)

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, Any], *, layer: str = "constructor", environ: Mapping[str, str] | None = None
    ) -> Config:
        """The packaged defaults and these values, nested or with dotted keys; no file and no `HEAVENBASE_` variable.

        `environ` are the variables that may be read, keys, proxies and the home folder among them: by default none,
        with `os.environ` those of the process. Where they name no home, nothing is written, and answers are kept only
        where the mapping says which cache to use.
        """
        if not hasattr(mapping, "items"):
            raise InputTypeError(f"a configuration is a Config or a mapping, not {type(mapping).__name__}")
        mapping, variables = concealed(mapping), _variables({} if environ is None else environ)
        del environ
        return cls([Layer("default", defaults()), mapping_layer(layer, mapping)], variables)

    def with_layer(self, name: str, mapping: Mapping[str, Any]) -> Config:
        """The same configuration with one more layer on top."""
        mapping = concealed(mapping)
        return Config([*self._layers, mapping_layer(name, mapping)], self.environ)

    def get(self, key: Key, default: Any = ABSENT) -> Any:
        """The value of a key, references resolved; a table comes as a section.

        Without a value: `default`, else ConfigError. ConfigError for a key that the schema does not know, and
        MissingCredential when the value refers to a variable that is not set.
        """
        path = split_key(key)
        value = find(self._values, path)
        if value is ABSENT:
            check.known(path)
            if default is ABSENT:
                raise ConfigError(f"{join_key(path)} is not set; set it with `hb cfg set {join_key(path)} VALUE`")
            return default
        return read(value, path, self.environ)

    def section(self, key: Key, *, raw: bool = False) -> dict[str, Any]:
        """A copy of a table, empty when nothing sets it.

        References are resolved as each value is read; with `raw` it is a plain dict and they stay, so that it can be
        laid over other data and be interpolated once. ConfigError when the key is unknown or no table.
        """
        path = split_key(key)
        value = find(self._values, path)
        if value is ABSENT:
            node = check.known(path).node
            value = {} if isinstance(node, Table) or "table" in node.types else None
        if not isinstance(value, dict):
            raise ConfigError(f"{join_key(path)} is one value, not a table; read it with get()")
        return mapped(value) if raw else Section(value, path, self.environ)

    def origin(self, key: Key) -> Origin | None:
        """Where a key was set; for a table, the last layer that sets anything in it. None when nothing does."""
        path = split_key(key)
        for layer in self._layers[::-1]:
            if find(layer.values, path) is not ABSENT:
                return layer.origin(path)
        check.known(path)
        return None

    def source(self, key: Key) -> Origin | None:
        """Where the value of a key comes from in the end: its origin, or the variable that it refers to."""
        origin = self.origin(key)
        value = find(self._values, split_key(key))
        return origin if origin is None or not isinstance(value, str) else self.trace(value, origin)

    def trace(self, value: str, origin: Origin) -> Origin:
        """Where the text of `value`, set at `origin`, comes from: the least trusted of it and its variables."""
        found = origin
        for name, _ in references(value):
            if self.environ.get(name) and found.layer not in self._untrusted():
                found = self.variable_origin(name)
        return found

    def variable_origin(self, name: str) -> Origin:
        """Where an environment variable comes from: the environment, or a line of the `.env` file."""
        return self.environ.origin(name)

    def endpoint_trust(self, endpoint: Key | Origin, *credentials: Key | Origin | None) -> None:
        """Refuse to send credentials to an endpoint that a less trusted source chose: ConfigTrustError.

        `endpoint` is the key of the base_url in use, or where it came from (see `trace`); `credentials` likewise the
        api key, the token and headers that go there. None stands for a value that nothing set.
        """
        where = endpoint if isinstance(endpoint, Origin) else self.source(endpoint)
        what = "the endpoint" if isinstance(endpoint, Origin) else join_key(split_key(endpoint))
        if where is None or where.layer not in self._untrusted():
            return
        for key in credentials:
            origin = key if key is None or isinstance(key, Origin) else self.source(key)
            if origin is not None and origin.layer not in self._untrusted():
                fix = remedy(where)
                raise ConfigTrustError(f"{what} comes from the {where}, but the credential from the {origin}; {fix}")

    def surroundings(self) -> dict[str, str]:
        """What of the process's surroundings this configuration reads and writes, in words."""
        environ, paths = self.environ, self.paths()
        given = f"{len(environ)} that were given" if environ else "none"
        return {
            "variables": given if environ.is_embedded else "of the process",
            "files": ", ".join(map(str, filter(None, paths[:3]))) or "none",
            "written": ", ".join(map(str, filter(None, paths[3:]))) or "none",
            "identity": "none" if environ.is_embedded else "of the process, where a provider has one",
        }

    def plugins(self) -> dict[str, Any]:
        """The table `heavenbase.plugins`, with a relative path of the lock taken from the folder of its file."""
        table = self.section("heavenbase.plugins")
        lock = table.get("lock")
        if lock and not os.path.isabs(os.path.expanduser(lock)):
            origin = self.origin("heavenbase.plugins.lock")
            if origin is None or origin.file is None:
                raise ConfigError(f"heavenbase.plugins.lock must be an absolute path, not {lock!r} (from {origin})")
            lock = os.path.join(os.path.dirname(origin.file), lock)
        return {**table.copy(), "lock": lock and os.path.expanduser(lock)}

    def is_untrusted(self, origin: Origin | None) -> bool:
        """Whether a value of this origin comes from a file that nobody has vouched for."""
        return origin is not None and origin.layer in self._untrusted()

    def untrusted_endpoints(self) -> Iterator[tuple[str, Origin]]:
        """The providers for which a file that nobody has vouched for brings an address, and where."""
        for layer in self._layers:
            rows = () if layer.trusted else find(layer.values, PROVIDERS)
            for name in () if rows is ABSENT else rows:
                if "base_url" in rows[name]:
                    yield name, layer.origin((*PROVIDERS, name, "base_url"))

    def explain(self, key: Key) -> Explanation:
        """The story of a key: value, origin, what it overrides and what the schema says; safe to show."""
        path = split_key(key)
        node = check.known(path).node
        setting = [layer for layer in self._layers[::-1] if find(layer.values, path) is not ABSENT]
        value = find(self._values, path)
        return Explanation(
            join_key(path),
            None if value is ABSENT else shown(value, path),
            setting[0].origin(path) if setting else None,
            tuple((layer.origin(path), shown(find(layer.values, path), path)) for layer in setting[1:]),
            ("table",) if isinstance(node, Table) else node.types,
            None if isinstance(node, Table) or node.default is UNSET else node.default,
            node.description,
        )

    def items(self, prefix: Key = "") -> Iterator[tuple[str, Any]]:
        """Every key that is set under `prefix` with its value, safe to show (not interpolated, credentials masked)."""
        path = split_key(prefix)
        value = find(self._values, path)
        if value is ABSENT:
            check.known(path)
            return
        for here, leaf in leaves(value, path) if isinstance(value, dict) else [(path, value)]:
            yield join_key(here), shown(leaf, here)

    def fingerprint(self) -> str:
        """SHA-256 (64 hex digits) of all values, for memoising what was made from them; the same in every process.

        Of variables only those that were injected or came from a `.env` file count: the live environment may change
        between two reads, so what depends on it must not be memoised by this alone.
        """
        if not self._fingerprint:
            import json  # only memoising callers need these
            from hashlib import sha256

            text = json.dumps([self._values, self.environ.fixed()], sort_keys=True)
            self._fingerprint = sha256(text.encode()).hexdigest()
        return self._fingerprint

    def paths(self) -> Paths:
        """Where this configuration's files and folders lie."""
        from pathlib import Path  # costs milliseconds that reading values does not need

        base, homes = self.environ, files.has_home(self.environ)
        read_files = {layer.name: Path(layer.file.path) for layer in self._layers if layer.file is not None}
        return Paths(
            read_files.get("user", Path(files.user_folder("config", base), files.USER_FILE) if homes else None),
            read_files.get("project"),
            Path(self.environ.file) if self.environ.file else None,
            Path(files.user_folder("cache", base)) if homes else None,
            Path(files.user_folder("data", base)) if homes else None,
        )

    def _untrusted(self) -> set[str]:
        return {layer.name for layer in self._layers if not layer.trusted}

    def __repr__(self) -> str:
        return f"Config(layers={[layer.name for layer in self._layers]!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise InputTypeError("a configuration may hold credentials and is never pickled; load it again there")

    def __copy__(self) -> Config:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Config:
        return self


def _stacked(layers: Sequence[Layer]) -> dict[str, Any]:
    return merge(*(layer.values for layer in layers))


def _variables(environ: Mapping[str, str] | None) -> Environ:
    if isinstance(environ, Environ):
        return environ
    return Environ(None if environ is None or environ is os.environ else environ)


def _has_dotenv(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, files.DOTENV_FILE))


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted: there is no project then
        return ""
