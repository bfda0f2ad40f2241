"""Files of the configuration: where they lie, how they are read, and on which line a key stands.

In a `.env` file the last of several equal names wins, and `$` has no meaning. A name without a value is passed over.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from heavenbase.config.schema import is_secret
from heavenbase.config.values import from_toml, literal_part
from heavenbase.errors import ConfigError, ConfigTrustError, HBWarning
from heavenbase.secrets import hide

Place = TypeVar("Place")

APP = "heavenbase"
USER_FILE = "config.toml"
PROJECT_FILE = "heavenbase.toml"
DOTENV_FILE = ".env"
SIZE_LIMIT = 1 << 20

_LINUX_FOLDERS = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "cache": ("XDG_CACHE_HOME", ".cache"),
    "data": ("XDG_DATA_HOME", ".local/share"),
}
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'|#[^\n]*+|[\[\]{}\n]",
    re.DOTALL,
)
"""What a statement of TOML may hold a line break in, or ends at."""
_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


class SettingsFile(NamedTuple):
    """A TOML file as read: its values (`${null}` is None), its text, its path."""

    path: str
    values: dict[str, Any]
    text: str

    def __repr__(self) -> str:
        return f"SettingsFile({self.path!r})"


class Variable(NamedTuple):
    """A variable of a `.env` file: its value, and the line (from 1) where it stands."""

    value: str
    line: int

    def __repr__(self) -> str:
        return f"Variable(line={self.line})"


def user_folder(kind: str, environ: Mapping[str, str]) -> str:
    """The user's folder for `config`, `cache` or `data`: under HEAVENBASE_HOME when set, else where the system wants.

    On Linux the three XDG rules are applied here, as importing platformdirs would cost more than the rest of a load.
    """
    home = environ.get("HEAVENBASE_HOME")
    if home:
        root = os.path.abspath(os.path.expanduser(home))
        return root if kind == "config" else os.path.join(root, kind)
    if sys.platform == "linux" and os.path.isabs(environ.get("HOME", "")) and "ANDROID_ROOT" not in environ:
        variable, fallback = _LINUX_FOLDERS[kind]
        named = environ.get(variable, "")
        return os.path.join(named if os.path.isabs(named) else os.path.join(environ["HOME"], fallback), APP)
    import platformdirs  # see above

    return str(getattr(platformdirs.PlatformDirs(APP, appauthor=False), f"user_{kind}_dir"))


def has_home(environ: Mapping[str, str]) -> bool:
    """Whether an environment says where files go: the process's own always does, another by one of two variables."""
    embedded = getattr(environ, "is_embedded", environ is not os.environ)
    return not embedded or bool(environ.get("HEAVENBASE_HOME") or environ.get("HOME"))


def find_upward(name: str, start: str, environ: Mapping[str, str]) -> str | None:
    """Find the nearest file `name` in `start` or above it, up to the home folder or the root."""
    home = os.path.abspath(os.path.expanduser(environ.get("HOME") or "~"))
    folder = os.path.abspath(start)
    while True:
        candidate = os.path.join(folder, name)
        if os.path.isfile(candidate):
            return candidate
        parent = os.path.dirname(folder)
        if folder in (parent, home):
            return None
        folder = parent


def check_owner(path: str, start: str) -> None:
    """Refuse a project file that somebody else planted, say in /tmp: ConfigTrustError.

    Accepted owners: this process's user, root, and whoever owns the folder that the search started from.
    """
    if os.name != "posix":
        return
    try:
        owner = os.stat(path).st_uid
        accepted = owner in (os.geteuid(), 0, os.stat(start).st_uid)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if not accepted:
        raise ConfigTrustError(
            f"{path} belongs to another user; run `hb trust {os.path.dirname(path)}` if you want its settings"
        )


def is_ours(path: str) -> bool:
    """Whether a file belongs to this user, root or the owner of its folder, and not everybody may write to it."""
    if os.name != "posix":
        return True
    status = os.stat(path)
    owners = (os.geteuid(), 0, os.stat(os.path.dirname(path) or ".").st_uid)
    return status.st_uid in owners and not status.st_mode & 0o002


def read_text(path: str) -> tuple[str, bool]:
    """Read a small UTF-8 file: its text, and whether others may write to it. ConfigError when it cannot be read."""
    try:
        with open(path, "rb", opener=_opener) as file:
            status = os.fstat(file.fileno())
            is_regular = stat.S_ISREG(status.st_mode)
            data = file.read(SIZE_LIMIT + 1) if is_regular else b""
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError:  # as it holds a NUL, or half a character
        raise ConfigError(f"{path!r}: no file has such a name") from None
    if not is_regular:
        raise ConfigError(f"{path}: is not a regular file")
    if len(data) > SIZE_LIMIT:
        raise ConfigError(f"{path}: is larger than {SIZE_LIMIT} bytes, which no settings file is")
    bad_line = None
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        bad_line = data[: error.start].count(b"\n") + 1
    del data  # the file may hold a credential, and tracebacks may show locals
    if bad_line is not None:
        raise ConfigError(f"{path}:{bad_line}: is not UTF-8 text")
    return text, os.name == "posix" and bool(status.st_mode & 0o022)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe that nobody writes to would be waited for


def read_settings(path: str) -> SettingsFile:
    """Read and parse a TOML file; ConfigError with file and line when that fails.

    A file that holds a literal credential and that others may write to is refused.
    """
    text, exposed = read_text(path)
    values, problem = _parse(text, path)
    file = SettingsFile(path, hide(values), hide(text))
    del text, values  # a file may hold a credential, and tracebacks may show locals
    if problem is not None:
        raise ConfigError(problem)
    if exposed and holds_secret(file.values):
        raise ConfigError(f"{path}: holds a credential and other users may write to it; run: chmod go-w {path}")
    return file


def read_dotenv(path: str, known: tuple[str, bool] | None = None) -> dict[str, Variable]:
    """Read a `.env` file; `known` is what `read_text` says of it.

    HBWarning with file and line, never with the text, for a line that binds nothing; ConfigError for a file that cannot
    be read, or that holds values and that other users may write to.
    """
    from io import StringIO

    from dotenv.parser import parse_stream

    text, exposed = known or read_text(path)
    found, wrong = {}, []
    for binding in parse_stream(StringIO(text)):
        shown = binding.original.string
        line = binding.original.line + shown[: len(shown) - len(shown.lstrip())].count("\n")
        if binding.error:
            wrong.append(line)
        elif binding.key is not None and binding.value is not None:
            found[binding.key] = Variable(hide(binding.value), line)
    if exposed and found:
        raise ConfigError(f"{path}: may hold credentials and other users may write to it; run: chmod go-w {path}")
    for line in wrong:
        warnings.warn(f"{path}:{line}: expected NAME=VALUE; this line is passed over", HBWarning, stacklevel=2)
    return found


def parse_settings(text: str, path: str) -> dict[str, Any]:
    """Parse TOML text; ConfigError with file and line when it is malformed."""
    values, problem = _parse(text, path)
    del text
    if problem is not None:
        raise ConfigError(problem)
    return values


def _parse(text: str, path: str) -> tuple[dict[str, Any], str | None]:
    # The parser's exception is not kept, not even as a context: from Python 3.14 on it carries the whole document.
    import tomllib  # only when there is a file

    try:
        return from_toml(tomllib.loads(text)), None
    except RecursionError:
        return {}, f"{path}: is nested too deeply"
    except ValueError as error:
        match = _LINE.search(str(error))
        line = int(match.group(1)) if match and match.group(1) else text.rstrip("\n").count("\n") + 1
        return {}, f"{path}:{line}: {_LINE.sub('', str(error))}; this is no valid TOML"


def holds_secret(values: Any, path: tuple[str, ...] = ()) -> bool:
    """Say whether a literal credential stands anywhere in `values`."""
    if isinstance(values, dict):
        return any(holds_secret(item, (*path, name)) for name, item in values.items())
    if isinstance(values, list):
        return any(holds_secret(item, path) for item in values)
    return isinstance(values, str) and bool(literal_part(values)) and is_secret(path)


@lru_cache(maxsize=16)
def line_index(text: str) -> Mapping[tuple[str, ...], int]:
    """Map every key of a valid TOML text to the line (from 1) where its statement begins.

    A statement ends at the first line break that stands in no text and no bracket; what it says, the TOML parser tells.
    """
    import tomllib

    index: dict[tuple[str, ...], int] = {}
    header: tuple[str, ...] = ()
    line, start, depth = 1, 0, 0
    for token in _TOKEN.finditer(f"{text}\n"):
        mark = token.group()
        depth += (mark in ("[", "{")) - (mark in ("]", "}"))
        if depth or mark != "\n":
            continue
        statement = text[start : token.end()]
        table = statement.lstrip().startswith("[")
        try:
            found = [*_paths(tomllib.loads(statement), () if table else header)]
        except (ValueError, RecursionError):
            return index
        for path in found:
            index.setdefault(path, line)
            header = path if table else header
        line, start = line + statement.count("\n"), token.end()
    return index


def _paths(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, item in values.items():
        here = (*path, name)
        yield here
        if isinstance(item, dict):
            yield from _paths(item, here)
        elif isinstance(item, list):
            for element in item:
                if isinstance(element, dict):
                    yield from _paths(element, here)


def nearest(path: tuple[str, ...], places: Mapping[tuple[str, ...], Place]) -> Place | None:
    """The place of a key, or of the nearest table or value around it."""
    return next((places[path[:length]] for length in range(len(path), 0, -1) if path[:length] in places), None)


def sync_folder(folder: str) -> None:
    """Wait until the disk holds the names of a folder's files. Only POSIX can; OSError where it cannot.

    Args:
        folder: Its path.
    """
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_atomic(path: str, text: str) -> None:
    """Replace a file at once by one with this text, mode 0600, synced to disk. ConfigError when that fails."""
    import tempfile  # brings hashlib, which only writers need

    folder = os.path.dirname(path)
    try:
        # mkstemp makes the file 0600 whatever the umask is.
        handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        sync_folder(folder)
    except (OSError, UnicodeEncodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its text cannot be written as UTF-8"
        problem = ConfigError(f"{path}: cannot be written: {reason}")
    else:
        return
    raise problem


def make_folder(folder: str) -> None:
    """Make a folder and those above it, each with mode 0700. ConfigError when that fails."""
    if os.path.isdir(folder):
        return
    make_folder(os.path.dirname(folder))  # one by one, since os.makedirs gives its mode to the last folder only
    try:
        os.mkdir(folder, 0o700)
    except OSError as error:
        if not os.path.isdir(folder):  # somebody else may have made it at the same moment
            raise ConfigError(f"{folder}: the folder cannot be made: {error.strerror}") from error
