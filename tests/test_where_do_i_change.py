"""The page "Where do I change ...?" is true: what it walks through is done in a copy, and works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hb_testing.server import LoopbackServer, OpenAIWire
from tests.documents import blocks

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "where-do-i-change.md"
COPIED = (
    "core",
    "plugins/gateway-openai",
    "plugins/wire-openai",
    "plugins/vision-openai",
    "plugins/cache-sqlite",
    "docs",
)
PLACES = {"KERNEL": "core/kernel/src/heavenbase", "CLI": "core/cli/src/hb_cli", "KIT": "core/testing/src/hb_testing"}


def apply(diff: str, root: Path) -> None:
    """Carry out a diff without line numbers: what a hunk shows must stand in the file exactly once."""
    head, *hunks = diff.split("\n@@\n")
    path = root / head.removeprefix("--- ")
    text = path.read_text(encoding="utf-8")
    for hunk in hunks:
        lines = hunk.rstrip("\n").split("\n")
        before = "".join(f"{line[1:]}\n" for line in lines if line[:1] in (" ", "-"))
        after = "".join(f"{line[1:]}\n" for line in lines if line[:1] in (" ", "+"))
        assert text.count(before) == 1, f"{path.name} has not once:\n{before}"
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which everything was done that the page walks through."""
    root = tmp_path_factory.mktemp("changed")
    left_out = shutil.ignore_patterns("__pycache__", "tests", ".*_cache")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", root)
    for block in blocks(PAGE):
        if block.file is not None:
            target = root / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "diff":
            apply(block.text, root)
    # What an editable install would write: the entry point of the new package, beside its code.
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    command = [
        uv,
        "pip",
        "install",
        "-q",
        "--offline",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(root / "site"),
    ]
    done = subprocess.run([*command, str(root / "plugins/provider-acme")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=[OpenAIWire(extensions={"surprise"})]) as found:
        yield found


def run(root: Path, server: LoopbackServer, *arguments: str) -> str:
    sources = [root / "site", *sorted(root.glob("core/*/src")), *sorted(root.glob("plugins/*/src"))]
    sources.append(ROOT)  # the tests, out of which one of the generated pages is
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, sources)),
        "HEAVENBASE_HOME": str(root / "home"),
        "ACME_API_KEY": "test-key",
        "ACME_BASE_URL": server.url("openai"),
    }
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_provider_is_there_and_answers(changed: Path, server: LoopbackServer) -> None:
    server.reply(text="Good day.")
    assert "Good day." in run(changed, server, "-m", "heavenbase", "chat", "Hello", "-m", "acme-large")
    assert server.requests[-1].json["model"] == "acme-large"
    assert "acme" in run(changed, server, "-m", "heavenbase", "providers")


def test_the_option_is_known_wherever_options_are_named(changed: Path, server: LoopbackServer) -> None:
    run(changed, server, "docs/generate.py")
    assert "`surprise`" in (changed / "docs/reference/options.md").read_text(encoding="utf-8")
    code = (
        "import heavenbase as hb, heavenbase.typed as typed\n"
        "assert 'surprise' in typed.Options.__annotations__\n"
        "try:\n    hb.LLM(model='acme-large').chat('Hello', suprise=0.5)\n"
        "except hb.errors.UnknownNameError as error:\n    print(error)\n"
    )
    before = len(server.requests)
    assert "surprise" in run(changed, server, "-c", code)
    assert len(server.requests) == before


def test_the_flag_gives_the_option_and_the_option_reaches_the_wire(changed: Path, server: LoopbackServer) -> None:
    assert "--surprise" in run(changed, server, "-m", "heavenbase", "chat", "--help")
    server.reply(text="Quite.")
    run(changed, server, "-m", "heavenbase", "chat", "Hello", "-m", "acme-large", "--surprise", "0.5")
    assert server.requests[-1].json["surprise"] == 0.5


def test_each_file_that_the_table_names_is_there() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(("| a ", "| what "))]
    assert len(rows) >= 12
    for row in rows:
        for name in re.findall(r"`([\w./<>-]+/[\w./<>-]*)`", row):
            if not re.search(r"NAME|<", name):
                first, _, rest = name.partition("/")
                path = ROOT / PLACES[first] / rest if first in PLACES else ROOT / name
                assert path.exists(), f"{name} is not there:\n{row}"
