"""What was written against the first release still loads: its imports, and `pytest -p heavenbase.testing`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ("pytester",)

LINES = (Path(__file__).parent / "first_release_imports.txt").read_text(encoding="utf-8").splitlines()
IMPORTS = [line.partition(":") for line in LINES if not line.startswith("#")]
MODULES = sorted({module for module, _, _ in IMPORTS})
KEPT = [
    f"heavenbase.{name}"
    for name in ("errors", "types", "call", "plugin", "image", "tools", "structured", "config", "utils", "repair")
]
"""What people type: these names stay, and say nothing."""

PROGRAM = """
import json, sys, warnings
from importlib import import_module

found = {}
for module, names in json.load(sys.stdin).items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            told = import_module(module)
            for name in names:
                scope = {}
                exec(f"from {module} import {name}", scope)
            problem = None
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
    home = getattr(told, "__name__", "") if problem is None else ""
    found[module] = {
        "problem": problem,
        "home": home,
        "warnings": [[warning.category.__name__, str(warning.message)] for warning in caught],
    }
json.dump(found, sys.stdout)
"""

PACKAGES = {"heavenbase.cli": "hb_cli", "heavenbase.testing": "hb_testing"}
"""Packages of the first release that are distributions of their own now."""

IDENTITY = """
import json, sys, warnings
from importlib import import_module

warnings.simplefilter("ignore")
pairs = json.load(sys.stdin)
for first, second in pairs:
    one, other = import_module(first), import_module(second)
    if one is not other or one is not sys.modules[first] or one is not sys.modules[second]:
        print(first, second)
    if one.__spec__.name != one.__name__ or one.__spec__._initializing:
        print(first, second, one.__spec__)
for pair in pairs:
    for name in pair:
        package, _, child = name.rpartition(".")
        if package in dict(pairs).values() and getattr(sys.modules[package], child) is not sys.modules[name]:
            print(package, "has another", child)
"""


def run(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """What an interpreter with the warnings of a user's says."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ, **settings)


def modules_of(package: str) -> list[str]:
    """The names of its modules below itself, with their leading dot; its own is empty."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    root = Path(spec.submodule_search_locations[0])
    files = [path.relative_to(root).with_suffix("") for path in root.rglob("*.py") if path.stem != "__main__"]
    return sorted("".join(f".{part}" for part in file.parts if part != "__init__") for file in files)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What an interpreter that has imported nothing yet makes of every line."""
    names: dict[str, list[str]] = {module: [] for module in MODULES}
    for module, _, name in IMPORTS:
        names[module] += [name] if name else []
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, input=json.dumps(names), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("module", MODULES)
def test_an_import_of_the_first_release_resolves(found: dict[str, Any], module: str) -> None:
    told = found[module]
    assert told["problem"] is None
    for category, message in told["warnings"]:
        assert category == "DeprecationWarning", message
        assert message.partition(" is now ")[2], "a warning names the new home"
    if module in KEPT:
        assert told["warnings"] == []


def test_a_module_that_moved_is_the_module_of_today_and_says_where_that_is(found: dict[str, Any]) -> None:
    moved = {module: told for module, told in found.items() if told["home"] != module and module not in KEPT}
    assert "heavenbase.testing" in moved
    for module, told in moved.items():
        assert any(f"{module} is now {told['home']};" in message for _, message in told["warnings"]), module


@pytest.mark.parametrize("is_old_first", [True, False])
def test_an_old_name_is_the_module_of_today_whichever_is_imported_first(
    found: dict[str, Any], is_old_first: bool
) -> None:
    pairs = [[f"{old}{name}", f"{new}{name}"] for old, new in PACKAGES.items() for name in modules_of(new)]
    told = {old for old, _ in pairs}
    pairs += [[old, now["home"]] for old, now in found.items() if old not in told]
    assert ["heavenbase.testing.server.faults_body", "hb_testing.server.faults_body"] in pairs
    assert not [old for old, new in pairs if old.startswith(tuple(PACKAGES)) and new.startswith("heavenbase.")]
    done = run("-c", IDENTITY, input=json.dumps(pairs if is_old_first else [pair[::-1] for pair in pairs]))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-2000:]


def test_a_module_below_a_package_that_left_is_found_before_anything_of_that_package_is_imported() -> None:
    code = (
        "from heavenbase.testing.server.wire_openai import OpenAIWire as old; from hb_testing.server import OpenAIWire;"
        "from heavenbase.cli.state import pass_state as told; from hb_cli import pass_state;"
        "import sys, heavenbase; assert sys.meta_path.count(heavenbase._Moved) == 1;"
        "print(old is OpenAIWire, told is pass_state)"
    )
    assert run("-c", code).stdout.split() == ["True", "True"]


THREADS = """
import threading, warnings

warnings.simplefilter("ignore")
begun, go_on, told = threading.Event(), threading.Event(), []

class Slow:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "heavenbase.plugin":  # which heavenbase.http.gateway imports
            begun.set()
            go_on.wait(10)

def use():
    from heavenbase.http_gateway import HTTPGateway
    told.append(HTTPGateway.__module__)

import sys, heavenbase.http
sys.meta_path.insert(0, Slow)
threads = [threading.Thread(target=use) for _ in range(3)]
threads[0].start()
begun.wait(10)
[thread.start() for thread in threads[1:]]
threads[1].join(0.02)
go_on.set()
[thread.join() for thread in threads]
print(*told)
"""


def test_threads_that_import_an_old_name_at_once_all_get_the_whole_module() -> None:
    done = run("-c", THREADS)
    assert done.stdout.split() == ["heavenbase.http.gateway"] * 3, done.stderr[-2000:]


def test_a_name_that_never_was_is_not_found() -> None:
    done = run("-c", "import heavenbase.testing.nothing")
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'heavenbase.testing.nothing'\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from heavenbase.http_gateway import HTTPGateway", "heavenbase.http_gateway is now heavenbase.http.gateway;"),
        ("import heavenbase.testing.report", "heavenbase.testing.report is now hb_testing.report;"),
        ("from hb_gateway_openai import dialects", "hb_gateway_openai.dialects is now in hb_wire_openai;"),
    ],
)
def test_a_script_sees_the_warning_beside_its_own_line(tmp_path: Path, line: str, message: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import sys\n{line}\n", encoding="utf-8")
    done = run(str(script))
    assert done.returncode == 0
    assert f"{script}:2: DeprecationWarning: {message}" in done.stderr


def test_the_command_line_runs_under_its_first_name() -> None:
    old, new = run("-m", "heavenbase.cli", "--help"), run("-m", "hb_cli", "--help")
    assert (old.returncode, old.stderr) == (new.returncode, new.stderr) == (0, "")
    assert old.stdout == new.stdout
    assert old.stdout.startswith("Usage: hb ")


@pytest.mark.parametrize("name", ["heavenbase.testing", "hb_testing"])
def test_the_conformance_kit_says_what_runs_it(name: str) -> None:
    done = run("-m", name)
    assert done.returncode == 1
    assert "pytest -p hb_testing" in done.stderr


def test_the_loopback_server_runs_under_its_first_name() -> None:
    done = run("-m", "heavenbase.testing.server", input="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("old", "home", "install"),
    [
        ("heavenbase.testing", "hb_testing", "hb-testing"),
        ("heavenbase.cli", "hb_cli", "hb-cli"),
        ("heavenbase.config_edit", "hb_cli", "hb-cli"),
    ],
)
def test_what_is_not_installed_says_how_it_is(
    monkeypatch: pytest.MonkeyPatch, old: str, home: str, install: str
) -> None:
    monkeypatch.delitem(sys.modules, old, raising=False)
    monkeypatch.setitem(sys.modules, home, None)  # type: ignore[arg-type]  # how the import system marks what is not there
    with pytest.raises(ModuleNotFoundError, match=f"not installed here: pip install {install}$") as caught:
        import_module(old)
    assert caught.value.name == home


def test_the_names_that_people_type_are_all_looked_at() -> None:
    assert set(KEPT) <= set(MODULES)


def test_the_conformance_kit_runs_under_its_first_name_and_says_the_new_one(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")  # or the settings of whatever repository holds the temporary folder count
    command = ("-p", "heavenbase.testing", "-p", "no:cacheprovider", "--hb-plugin", "gateways:mock")
    done = pytester.runpytest_subprocess(*command, "-k", "tool_calls_arrive_whole")
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(["*heavenbase.testing is now hb_testing*", "gateways:mock (*): * passed*"])
