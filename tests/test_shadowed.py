"""The other project of the name `heavenbase`, installed beside hb or taken away again, is told with the remedy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hb_cli
import heavenbase

OURS = Path(heavenbase.__file__).parent
THEIRS = {"__init__.py": "from ._lazy import attach\n", "_lazy.py": "attach = None\n", "types/__init__.py": ""}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """hb-kernel and hb-cli as pip would lay them into one folder."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(OURS, tmp_path / "heavenbase", ignore=ignored)
    shutil.copytree(Path(hb_cli.__file__).parent, tmp_path / "hb_cli", ignore=ignored)
    return tmp_path


def lay(site: Path, *names: str) -> None:
    for name in names:
        path = site / "heavenbase" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(THEIRS[name])


def failure(site: Path, code: str) -> str:
    """The last line that a bare interpreter prints, which has these two packages alone."""
    run = f"import sys; sys.path.insert(0, {str(site)!r}); {code}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", run], capture_output=True, text=True)
    assert done.returncode == 1, done.stdout
    return done.stderr.strip().splitlines()[-1]


def told(line: str) -> bool:
    return "pip uninstall -y heavenbase" in line and "--force-reinstall --no-deps hb-kernel" in line


def test_d4_hb_installed_after_the_other_project_says_so_at_import(site: Path) -> None:
    lay(site, "types/__init__.py")
    for code in ("import heavenbase", "from heavenbase import LLM", "import heavenbase.plugin", "import hb_cli"):
        assert told(failure(site, code)), code


def test_d4_the_other_project_installed_after_hb_is_told_by_its_command_line(site: Path) -> None:
    lay(site, *THEIRS)
    assert told(failure(site, "import hb_cli"))


def test_d4_what_the_other_project_took_along_is_told(site: Path) -> None:
    for name in ("__init__.py", "_lazy.py"):
        (site / "heavenbase" / name).unlink()
    assert told(failure(site, "import hb_cli"))
    assert told(failure(site, "import runpy; runpy.run_module('heavenbase', run_name='__main__')"))


def test_d4_left_over_folders_without_code_do_no_harm(site: Path) -> None:
    (site / "heavenbase" / "types" / "__pycache__").mkdir(parents=True)
    run = f"import sys; sys.path.insert(0, {str(site)!r}); import heavenbase; from heavenbase import Usage"
    assert subprocess.run([sys.executable, "-c", run]).returncode == 0
