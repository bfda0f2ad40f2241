"""Loading the configuration: which sources there are, in which order, and what may be read at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.config.files import (
    DOTENV_FILE,
    PROJECT_FILE,
    USER_FILE,
    check_owner,
    find_upward,
    read_settings,
    user_folder,
)
from heavenbase.config.layers import (
    Layer,
    dotenv_layer,
    environment_layer,
    file_layer,
    find,
    mapping_layer,
    stacked,
)
from heavenbase.config.schema import defaults
from heavenbase.config.trusted import check_project, check_variables, is_trusted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heavenbase.config.dotenv import Variable


class Sources(NamedTuple):
    """What was read besides the layers: the variables, and the paths of the files."""

    environ: Mapping[str, str]
    user_file: str | None = None
    project_file: str | None = None
    dotenv_file: str | None = None
    variables: Mapping[str, Variable] = {}
    dotenv_trusted: bool = True

    def __repr__(self) -> str:
        return f"<sources {self.user_file!r} {self.project_file!r} {self.dotenv_file!r}>"


def variables_of(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    """The live environment, or a copy of the mapping that was injected."""
    return os.environ if environ is None or environ is os.environ else dict(environ)


def read_layers(
    *,
    user_file: str | None,
    project_dir: str | None,
    environ: Mapping[str, str] | None,
    overrides: Mapping[str, Any] | None,
    dotenv: bool,
    trusted: bool | None,
) -> tuple[list[Layer], Sources]:
    """Read every source into its layer, lowest first; arguments and errors as of `Config.load`."""
    base = variables_of(environ)
    layers = [Layer("default", defaults())]
    user_path = user_file or os.path.join(user_folder("config", base), USER_FILE)
    if user_file is not None or os.path.exists(user_path):
        layers.append(file_layer("user", read_settings(user_path)))

    start = project_dir or _working_folder()
    project_path = find_upward(PROJECT_FILE, start, base) if start else None
    if project_path is not None and start:
        vouched = _vouched(project_path, start, base, trusted)
        layers.append(file_layer("project", read_settings(project_path), trusted=vouched))

    environment = environment_layer(base, stacked(layers))
    final = [environment, *([mapping_layer("overrides", overrides)] if overrides else [])]
    sources = Sources(base, user_path, project_path)
    if start and (dotenv or _dotenv_wanted(base, [*layers, *final])):
        # The project file is checked before: an untrusted one may not ask for the .env file.
        for layer in layers:
            check_project(layer, [*layers, *final])
        sources = _read_dotenv(sources, start, trusted)
        if sources.dotenv_file is not None:
            known = stacked([*layers, environment])
            vouched = sources.dotenv_trusted
            layers.append(dotenv_layer(sources.variables, sources.dotenv_file, known, trusted=vouched))
    return [*layers, *final], sources


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was deleted: there is no project then
        return None


def _vouched(path: str, start: str, environ: Mapping[str, str], trusted: bool | None) -> bool:
    vouched = is_trusted(os.path.dirname(path), environ=environ) if trusted is None else trusted
    if not vouched:
        check_owner(path, start)
    return vouched


def _dotenv_wanted(environ: Mapping[str, str], layers: Sequence[Layer]) -> bool:
    if environ.get("HB_DOTENV", "").strip().lower() in ("1", "true", "yes", "on"):
        return True
    return find(stacked(layers), ("heavenbase", "dotenv")) is True


def _read_dotenv(sources: Sources, start: str, trusted: bool | None) -> Sources:
    path = find_upward(DOTENV_FILE, start, sources.environ)
    if path is None:
        return sources
    from heavenbase.config.dotenv import read_dotenv  # only when asked for

    vouched = _vouched(path, start, sources.environ, trusted)
    variables = read_dotenv(path)
    if not vouched:
        check_variables({name: v for name, v in variables.items() if name not in sources.environ}, path)
    return sources._replace(dotenv_file=path, variables=variables, dotenv_trusted=vouched)
