"""Runs the code blocks of a Markdown page in order, as a reader would, against loopback endpoints.

All Python blocks of a page share one namespace. A block whose first line is `# file: NAME` is written to that file.
Lines of sh blocks are run, but for those that set up a machine (see NOT_RUN). toml is parsed; nothing else is run.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.forks import Forks

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"\A# file: (\S+)\n")
NOT_RUN = (
    "python3 -m venv",  # the README's two commands: tests/test_fresh_clone.py
    "pip install hb-",  # wheels in clean environments: tests/test_wheels.py
    "uv sync",
    "uv run",
    "export ",
)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the line where it begins."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the block is, if it names one."""
        found = FILE.match(self.text)
        return found.group(1) if found else None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [Block(m.group(1), m.group(2), text[: m.start()].count("\n") + 2) for m in FENCE.finditer(text)]


HB = "import sys\nfrom heavenbase.__main__ import main\nsys.exit(main())"
"""What the script `hb` is."""

PROLOGUE = f"""
def _sh(*words):
    import importlib, os, subprocess, sys
    if words[0] == "hb":
        done = _forks.run({HB!r}, os.getcwd(), dict(os.environ), *words[1:], name="hb")
    else:
        words = (sys.executable, *words[1:]) if words[0] == "python" else words
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{{' '.join(words)}}: exit {{done.returncode}}\\n{{done.stdout}}\\n{{done.stderr}}"
    importlib.invalidate_caches()
"""


ALONE = """
def _sh(*words):
    import importlib, os, subprocess, sys
    if words[0] == "python":
        words = (sys.executable, *words[1:])
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(words)}: exit {done.returncode}\\n{done.stdout}\\n{done.stderr}"
    importlib.invalidate_caches()
"""


def run(page: Path, folder: Path, env: dict[str, str], forks: Forks) -> int:
    """Run a page in a folder; the number of blocks and commands run. AssertionError with the output when one fails."""
    count, script = prepare(page, folder, env)
    if script is not None:
        code = f"{PROLOGUE}\nexec(compile(open({str(script)!r}).read(), {page.name!r}, 'exec'))"
        done = forks.run(code, folder, env)
        assert done.returncode == 0, f"{page.name}\n{done.stdout}\n{done.stderr}"
    return count


def run_alone(page: Path, folder: Path, env: dict[str, str], python: Path) -> None:
    """Run a page in an environment of its own: with its Python, its `hb`, and no module of this one."""
    _, script = prepare(page, folder, env)
    assert script is not None, f"{page.name} has nothing to run"
    code = f"{ALONE}\nexec(compile(open({str(script)!r}).read(), {page.name!r}, 'exec'))"
    done = subprocess.run([str(python), "-c", code], cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{page.name}\n{done.stdout}\n{done.stderr}"


def installs(page: Path) -> list[str]:
    """The distributions that the page tells its readers to install."""
    words = (shlex.split(line, comments=True) for line in _shell_lines(page))
    found = (word for line in words if line[:2] == ["pip", "install"] for word in line[2:])
    return sorted({word for word in found if word.startswith("hb-")})


def exports(page: Path) -> dict[str, str]:
    """The variables that the page tells its readers to set."""
    lines = (line.removeprefix("export ").split() for line in _shell_lines(page) if line.startswith("export "))
    found = dict(word.split("=", 1) for line in lines for word in line if "=" in word)
    # A reader puts his own in the place of the dots.
    return {name: "test-key" if value == "..." else value for name, value in found.items()}


def _shell_lines(page: Path) -> list[str]:
    return [line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines()]


def prepare(page: Path, folder: Path, env: dict[str, str]) -> tuple[int, Path | None]:
    """Lay out a page's files and its program, if it has one; also the number of its blocks and commands."""
    count = 0
    lines: list[str] = []
    for block in blocks(page):
        if block.file is not None:
            target = folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language in ("sh", "python"):
            # Padded, so that a traceback names the line of the page.
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.text.splitlines() if block.language == "python" else _shell(block, env)
        else:
            continue
        count += 1
    if not lines:
        return count, None
    script = folder / f"{page.stem}.md.py"
    script.write_text("\n".join(lines))
    return count, script


def _shell(block: Block, env: dict[str, str]) -> list[str]:
    calls = []
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if not words or line.startswith(NOT_RUN):
            calls.append("")
            continue
        if words[:2] == ["pip", "install"]:
            uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
            words = [uv, "pip", "install", "-q", "--no-deps", "--target", env["PYTHONPATH"], *words[2:]]
        elif words[0] == "pytest":
            words = ["python", "-m", *words, "-q", "-p", "no:cacheprovider"]
        calls.append(f"_sh(*{words!r})")
    return calls
