"""What type checkers infer of a user's program, and what they refuse; both checkers that people use."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import heavenbase

PROGRAM = Path(__file__).parent / "typing" / "user_program.py"
LINES = PROGRAM.read_text(encoding="utf-8").splitlines()
REFUSED = {number for number, line in enumerate(LINES, 1) if line.endswith("# refused")}
CACHE = Path(__file__).parents[1] / ".mypy_cache" / "user_program"
ELSEWHERE = "the type checkers are installed where types are checked: this test is run by `nox -s typing`"


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_program_is_of_use() -> None:
    assert len(REFUSED) >= 12


def test_mypy_infers_and_refuses(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason=ELSEWHERE)
    # Only what the program shows: hb itself is checked where it is made.
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary"]
    done = run(*command, f"--cache-dir={CACHE}", "--config-file=", str(PROGRAM), folder=tmp_path)
    found = re.findall(r"user_program\.py:(\d+): error: (.*)", done.stdout)
    assert {int(line) for line, _ in found} == REFUSED, done.stdout + done.stderr


def test_pyright_infers_and_refuses(tmp_path: Path) -> None:
    checker = shutil.which("basedpyright", path=str(Path(sys.executable).parent))
    if checker is None:
        pytest.skip(ELSEWHERE)
    settings = {"typeCheckingMode": "strict", "include": [str(PROGRAM)], "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    done = run(checker, "--outputjson", f"--pythonpath={sys.executable}", f"--project={tmp_path}", folder=tmp_path)
    rows = json.loads(done.stdout)["generalDiagnostics"]
    found = [(row["range"]["start"]["line"] + 1, row["message"]) for row in rows if row["severity"] == "error"]
    assert {line for line, _ in found} == REFUSED, "\n".join(f"{line}: {message}" for line, message in found)


def test_the_stub_tells_of_the_code() -> None:
    stub = Path(heavenbase.__file__).with_name("llm.pyi").read_text(encoding="utf-8")
    written = next(node for node in ast.parse(stub).body if isinstance(node, ast.ClassDef))
    arguments: dict[str, list[str]] = {}
    for node in written.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [a.arg for a in (*node.args.args, *node.args.kwonlyargs)]
            known = arguments.setdefault(node.name, names)
            assert set(names) - {"response_format"} == set(known) - {"response_format"}, node.name
    public = {name for name in vars(heavenbase.LLM) if not name.startswith("_")} | {"__init__", "__call__"}
    assert public <= arguments.keys() <= vars(heavenbase.LLM).keys()
    for name in public - {"dim"}:
        signature = inspect.signature(getattr(heavenbase.LLM, name)).parameters.values()
        code = [p.name for p in signature if p.kind is not p.VAR_KEYWORD]
        assert [a for a in arguments[name] if a != "response_format"] == code, name


def test_the_wheel_says_that_it_is_typed() -> None:
    assert (Path(heavenbase.__file__).parent / "py.typed").exists()
