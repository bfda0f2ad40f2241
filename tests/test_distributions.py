"""What the pyprojects of the workspace say of each other: who needs whom, in which version, and where it lies."""

from __future__ import annotations

import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
NAME = re.compile(r"[A-Za-z0-9._-]+")
CORE = {"hb-core", "hb-kernel", "hb-cli", "hb-testing"}


def members() -> dict[str, tuple[Path, dict[str, Any]]]:
    """Each distribution of the workspace: its folder, and the `project` table of its pyproject."""
    left_out = {folder for pattern in WORKSPACE["workspace"]["exclude"] for folder in ROOT.glob(pattern)}
    found = {}
    for pattern in WORKSPACE["workspace"]["members"]:
        for folder in sorted(set(ROOT.glob(pattern)) - left_out):
            if folder.is_dir():
                project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
                found[project["name"]] = (folder, project)
    return found


MEMBERS = members()


def name_of(requirement: str) -> str:
    found = NAME.match(requirement)
    assert found is not None
    return found[0].lower()


def ours(requirements: list[str]) -> dict[str, str]:
    """The requirements that the workspace has itself, by name."""
    return {name_of(each): each for each in requirements if name_of(each).startswith("hb-")}


def needed(project: dict[str, Any]) -> dict[str, str]:
    """What a distribution of ours always needs of ours."""
    return ours(project.get("dependencies", []))


def test_there_is_a_distribution_for_each_folder_and_its_name_is_the_folders() -> None:
    assert MEMBERS.keys() > CORE
    for name, (folder, project) in MEMBERS.items():
        if name not in CORE:
            assert name == f"hb-{folder.name}"
            assert (folder / "src" / name.replace("-", "_")).is_dir()
        assert project["requires-python"] == ">=3.11", name


def test_each_member_and_each_source_of_the_workspace_is_there() -> None:
    for pattern in WORKSPACE["workspace"]["members"]:
        assert list(ROOT.glob(pattern)), f"{pattern} matches nothing"
    assert all(source == {"workspace": True} for source in WORKSPACE["sources"].values())
    assert sorted(WORKSPACE["sources"]) == sorted(MEMBERS)


def test_no_distribution_needs_one_that_needs_it() -> None:
    graph = {name: set(needed(project)) for name, (_, project) in MEMBERS.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("hb-kernel") < order.index("hb-cli") < order.index("hb-core")


def test_what_is_needed_of_ours_is_in_the_workspace() -> None:
    for name, (_, project) in MEMBERS.items():
        extras = [each for group in project.get("optional-dependencies", {}).values() for each in group]
        assert ours(project.get("dependencies", []) + extras).keys() <= MEMBERS.keys(), name


@pytest.mark.parametrize("name", sorted(MEMBERS.keys() - CORE))
def test_a_plugin_needs_the_kernel_and_nothing_else_of_the_core(name: str) -> None:
    _, project = MEMBERS[name]
    assert needed(project).keys() & CORE == {"hb-kernel"}
    extras = [each for group in project.get("optional-dependencies", {}).values() for each in group]
    assert ours(extras).keys() & CORE <= {"hb-kernel"}


def test_the_kernel_needs_nothing_of_ours() -> None:
    assert needed(MEMBERS["hb-kernel"][1]) == {}


def test_hb_core_brings_the_kernel_and_the_command_line_of_its_own_version() -> None:
    _, project = MEMBERS["hb-core"]
    wanted = needed(project)
    for part in ("hb-kernel", "hb-cli"):
        assert wanted[part] == f"{part}=={project['version']}"
        assert MEMBERS[part][1]["version"] == project["version"]
    assert needed(MEMBERS["hb-cli"][1])["hb-kernel"] == f"hb-kernel=={project['version']}"


def test_all_distributions_have_one_version() -> None:
    versions = {project["version"] for _, project in MEMBERS.values()}
    assert len(versions) == 1, "RELEASING.md: one release gives every distribution the same version"


def test_what_the_first_command_of_the_readme_installs_is_whole() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    folders = {(ROOT / line).resolve() for line in lines if line.startswith("./")}
    names = {name for name, (folder, _) in MEMBERS.items() if folder in folders}
    assert len(names) == len(folders), "a line names no distribution of the workspace"
    for name in sorted(names):
        missing = needed(MEMBERS[name][1]).keys() - names
        assert not missing, f"{name} needs {sorted(missing)}, which requirements.txt does not list"
