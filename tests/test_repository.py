"""What people who carry on rely on: fragments become a changelog, actions are pinned, versions were tested."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FRAGMENT = re.compile(r"[a-z0-9][a-z0-9-]*\.(added|changed|fixed|removed)\.md")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = SETTINGS["dependency-groups"]


def test_each_fragment_has_the_name_of_its_kind_and_is_one_paragraph() -> None:
    for path in (ROOT / "changes").iterdir():
        if path.suffix == ".md":
            assert FRAGMENT.fullmatch(path.name), f"changes/{path.name}: <word>.<added|changed|fixed|removed>.md"
            assert len(path.read_text(encoding="utf-8").strip().splitlines()) == 1, path.name


def test_the_fragments_become_a_part_of_the_changelog() -> None:
    pytest.importorskip("towncrier")
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9", "--date", "2026-01-01"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "## 9.9.9 (2026-01-01)" in done.stdout
    sentences = [path.read_text(encoding="utf-8").strip() for path in (ROOT / "changes").glob("*.md")]
    for sentence in sentences:
        assert f"- {sentence}\n" in done.stdout


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_by_the_hash_of_its_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
    assert used
    assert [each for each in used if not PINNED.fullmatch(each)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_and_names_sessions_that_exist(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    tasks = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job
        matrix: dict[str, list[Any]] = job.get("strategy", {}).get("matrix", {})
        named = set(matrix.get("session", []))
        for step in job["steps"]:
            words = step.get("run", "").partition("nox -s ")[2].partition("--")[0].split()
            named |= {word.partition("-")[0] for word in words if re.fullmatch(r"[a-z-]+", word)}
        assert named <= tasks


def test_the_publishing_job_alone_may_ask_for_a_token_of_its_own() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]
    assert {name: job.get("permissions") for name, job in jobs.items()} == {
        "build": None,
        "publish": {"id-token": "write"},
    }
    assert jobs["publish"]["environment"] == "pypi"
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")


def test_the_hooks_before_a_commit_are_the_pinned_tools_of_the_lint_group() -> None:
    pinned = {Requirement(each).name for each in GROUPS["lint"] if "==" in each}
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].split()[:3] == ["uv", "run", "--no-sync"]
        assert hook["entry"].split()[3] in pinned


def versions_tested() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {name: Version(version) for name, version in pairs}


def test_the_tested_versions_are_names_and_numbers_alone_and_none_of_ours() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[0-9][\w.+!-]*", line)] == []
    assert not [name for name in versions_tested() if name.startswith("hb-")]


def test_what_each_distribution_needs_was_tested_in_a_version_that_it_allows() -> None:
    versions = versions_tested()
    for path in sorted([ROOT / "core/pyproject.toml", *ROOT.glob("*/*/pyproject.toml")]):
        for text in tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("dependencies", []):
            needed = Requirement(text)
            if not needed.name.startswith("hb-") and (needed.marker is None or needed.marker.evaluate()):
                assert needed.name.lower() in versions, f"{path.parent.name} needs {text}: nox -s constraints"
                assert versions[needed.name.lower()] in needed.specifier, f"{path.parent.name} needs {text}"
