"""What was written against the first release still loads: its imports, and `pytest -p heavenbase.testing`."""

from __future__ import annotations

import json
import subprocess
import sys
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


def test_the_names_that_people_type_are_all_looked_at() -> None:
    assert set(KEPT) <= set(MODULES)


def test_the_conformance_kit_runs_under_its_first_name_and_says_the_new_one(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")  # or the settings of whatever repository holds the temporary folder count
    command = ("-p", "heavenbase.testing", "-p", "no:cacheprovider", "--hb-plugin", "gateways:mock")
    done = pytester.runpytest_subprocess(*command, "-k", "tool_calls_arrive_whole")
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(["*heavenbase.testing is now hb_testing*", "gateways:mock (*): * passed*"])
