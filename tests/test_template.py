"""The template of a plugin, rendered under another name, passes the conformance kit."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "contrib" / "plugin-template"
render: Any = runpy.run_path(str(FOLDER / "render.py"))["render"]


def test_a_rendered_plugin_installs_and_passes_the_kit(tmp_path: Path) -> None:
    plugin, site = tmp_path / "plugin", tmp_path / "site"
    render("nimbus", plugin)
    assert not [path for path in plugin.rglob("*") if path.is_file() and "acme" in path.read_text().lower()]
    tox = tomllib.loads((plugin / "tox.toml").read_text())
    assert tox["env_run_base"]["commands"][0][:6] == [*("python", "-m", "pytest", "-p", "hb_testing", "--hb-plugin")]
    uv = ["uv", "pip", "install", "-q", "--no-deps", "--python", sys.executable, "--target", str(site), str(plugin)]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(site), "HOME": str(tmp_path)}
    subprocess.run(uv, check=True, env=env)
    # Or the settings of whatever repository holds the temporary folder count.
    (plugin / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    kit = [sys.executable, "-m", "pytest", "-q", "-p", "hb_testing", "--hb-plugin", "providers:nimbus", "tests"]
    done = subprocess.run(kit, cwd=plugin, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("name", ["", "Nimbus", "a-b", "../up", "1st"])
def test_a_name_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no name"):
        render(name, tmp_path / "plugin")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        render("nimbus", tmp_path)
