"""For every test of the workspace: an own home, DEBUG logging, no canary key anywhere, examples without clocks."""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from hypothesis import HealthCheck, settings

CANARY = "sk-canary-0123456789abcdef"
LARGEST_FILE = 8 * 2**20
PATIENCE = 60.0
"""Seconds until a node program must listen; it takes less than one on an idle machine."""
MAKING = 300.0
"""Seconds until what all workers share must be made."""
MANY_MODULES = 100
_NUMBERS = map(str, count())

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    # Kept away from the sources instead: hundreds of processes would each compile every SDK that they import.
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(Path(__file__).parent / ".pytest_cache" / "bytecode")
    sys.dont_write_bytecode = False

# Collecting makes a million objects that all stay: nothing to find for the garbage collector (see settled).
gc.disable()

# No clocks, which a busy machine fails; and the same examples in every run, so that a failure is the change's own.
# New ones are looked for on purpose: pytest --hypothesis-profile search
_COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", _COMMON, derandomize=True, max_examples=50)
settings.register_profile("search", _COMMON, derandomize=False, max_examples=500, print_blob=True)
settings.load_profile("steady")


class _Records(logging.Handler):
    """Keeps formatted records, tracebacks included, that hold the canary."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if CANARY in text:
            self.leaks.append(text[:300])


@pytest.fixture(autouse=True)
def no_key_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test whose logs or files show the canary key."""
    handler, root = _Records(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield
    root.removeHandler(handler)
    root.setLevel(level)
    assert not handler.leaks, f"a log record shows the key: {handler.leaks[0]}"
    folder = request.node.funcargs.get("tmp_path")
    if folder is not None and request.node.get_closest_marker("keeps_keys") is None:
        for path in Path(folder).rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < LARGEST_FILE:
                assert CANARY.encode() not in path.read_bytes(), f"{path.name} holds the key"


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's configuration, cache and data out of the test, and the test out of them."""
    # Named and not made: most tests need no folder.
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path_factory.getbasetemp() / "homes" / next(_NUMBERS)))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder by name, once for all workers of a run: the first that asks makes it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, done, failed = (shared / f"{name}{ending}" for ending in ("", ".done", ".failed"))
        try:
            folder.mkdir()
        except FileExistsError:
            end = time.monotonic() + MAKING
            while not done.exists():
                assert not failed.exists(), failed.read_text(encoding="utf-8")
                assert time.monotonic() < end, f"{folder} is not made after {MAKING:g} s"
                time.sleep(0.05)
            return folder
        try:
            make(folder)
        except BaseException as error:
            failed.write_text(str(error), encoding="utf-8")
            raise
        done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def npm_package() -> Callable[[str, Any], Path]:
    """Install a `package.json` from npm into a named folder of the user's cache, once for all runs."""

    def installed(name: str, package: Any) -> Path:
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            pytest.skip("needs node and npm: apt-get install nodejs npm")
        folder = Path(platformdirs.user_cache_dir("heavenbase-tests")) / name
        if folder.exists():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Made beside and moved, so that a broken or a second install is never used.
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            (Path(made) / "package.json").write_text(json.dumps(package), encoding="utf-8")
            command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False, timeout=300)
            assert done.returncode == 0, f"npm could not install {name}:\n{done.stderr[-2000:]}"
            try:
                os.replace(made, folder)
            except OSError:  # another run was quicker
                assert folder.exists()
            else:
                Path(made).mkdir()  # for the context manager to remove
        return folder

    return installed


@pytest.fixture(scope="session")
def node_server() -> Callable[..., AbstractContextManager[int]]:
    """Run a node program that prints `LISTENING PORT`; the port, until the context ends."""

    @contextmanager
    def started(*arguments: str | Path, **options: Any) -> Iterator[int]:
        command = ["node", *map(str, arguments)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            **options,
        )
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            lines: list[str] = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("LISTENING "):
                    break
            else:
                pytest.fail(f"{command} did not start:\n{''.join(lines)[-2000:]}")
            watchdog.cancel()
            # Read on, or the program stops at a full pipe.
            reader = threading.Thread(target=process.stdout.read, daemon=True)
            reader.start()
            yield int(lines[-1].split()[1])
            process.terminate()
            process.wait(PATIENCE)
            reader.join(PATIENCE)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()

    return started


_looked_at: list[int] = [0]


def settle() -> None:
    """Have the garbage collector look no more at what is there, of which all that is no garbage stays to the end.

    Thousands of tests and the classes of a dozen SDKs are millions of objects. The tests that count what is left over
    collect garbage hundreds of times, and each time looks at them all.
    """
    gc.collect()
    gc.freeze()
    _looked_at[0] = len(sys.modules)


def pytest_collection_finish() -> None:
    settle()
    gc.enable()
    # Rarer than by default: what a test leaves is looked at by those tests that say so.
    gc.set_threshold(20_000, 10, 10)


def pytest_runtest_logfinish() -> None:
    # An SDK was imported. Here no fixture of a test is alive, whose objects must be looked at.
    if len(sys.modules) > _looked_at[0] + MANY_MODULES:
        settle()


class _Known(list[str]):
    """A list that knows where each of its items is."""

    def __init__(self, items: list[str]) -> None:
        super().__init__(items)
        self._places = {item: place for place, item in enumerate(items)}

    def index(self, item: str, *_: Any) -> int:
        return self._places[item]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadgroup` by file, and in time that grows with the number of tests, not with its square."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    # As collected: the files of tests/, whose few tests take longest, are begun first.
    config.option.loadscopereorder = False

    class Scheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope: str = super()._split_scope(nodeid)
            # What is handed out test by test costs more than most tests; and a file's fixtures are made once.
            return scope if scope != nodeid else nodeid.partition("::")[0]

        def add_node_collection(self, node: Any, collection: Any) -> None:
            super().add_node_collection(node, collection)
            self.registered_collections[node] = _Known(self.registered_collections[node])

        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
            super().mark_test_complete(node, item_index, duration)
            scope = self._split_scope(self.registered_collections[node][item_index])
            units = self.assigned_work[node]
            # Those that are done are counted again after every test otherwise.
            if all(units[scope].values()):
                del units[scope]

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    shown = "\n".join(text for _, text in report.sections)
    if CANARY in shown or CANARY in str(report.longrepr or ""):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: the output of this test shows the canary key"
    return report
