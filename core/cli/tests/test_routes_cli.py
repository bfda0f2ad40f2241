"""Routes and middlewares on the command line: named, explained, listed, and what is wrong with them told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ROUTES = """
[heavenbase.llm.routes.cheap]
kind = "cascade"
targets = ["gpt-4o-mini", { provider = "mock", model = "mock" }]
description = "small ones first"

[heavenbase.llm.routes.sound]
targets = [{ provider = "mock", model = "mock" }]

[heavenbase.llm.presets.loud]
provider = "mock"
model = "mock"
middleware = ["loud", "louder"]

[heavenbase.llm.routes.mixed]
targets = [{ preset = "loud" }, "gpt-4o-mini"]

[heavenbase.llm.presets.routed]
route = ["gpt-4o-mini", "mock/mock"]
"""


@pytest.fixture
def routes(home: Path) -> Path:
    file = home / "config.toml"
    file.write_text(ROUTES)
    return file


def test_explain_shows_the_stack_and_the_plan_of_a_route(run: Run, routes: Path) -> None:
    outcome = run("explain", "hi", "--route", "cheap")
    assert outcome.code == 0
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert lines[lines.index("stack") + 1 :][:4] == ["routing route", "cache target", "structured answers target",
                                                     "retry target"]  # fmt: skip
    place = next(
        number
        for number, line in enumerate(lines)
        if line.startswith("route: cheap (cascade), judge heuristic, at most ")
    )
    first, second = lines[place + 1 : place + 3]
    assert first.startswith("openai/gpt-4o-mini at most")
    assert first.endswith("no key is set (OPENAI_API_KEY)")
    assert second.startswith("mock/mock at most")
    assert second.endswith("requests")


def test_explain_shows_the_middlewares_of_a_target(run: Run, routes: Path) -> None:
    lines = [" ".join(line.split()) for line in run("explain", "hi", "--route", "mixed").out.splitlines()]
    (loud,) = [line for line in lines if line.startswith("mock/mock at most")]
    assert loud.endswith("requests through loud, louder")
    assert not [line for line in lines if line.startswith("loud")]  # not around the call


def test_explain_tells_the_plan_as_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-here")
    outcome = run("explain", "hi", "-m", "gpt-4o-mini", "-m", "mock/mock", "--json")
    found = json.loads(outcome.out)
    assert [row["target"] for row in found["route"]["targets"]] == ["openai/gpt-4o-mini", "mock/mock"]
    assert [row["problem"] for row in found["route"]["targets"]] == ["", ""]
    assert found["route"]["requests"] == sum(row["requests"] for row in found["route"]["targets"])
    assert found["stack"][0] == {"name": "routing", "place": "route"}
    assert found["model"]["value"] == "gpt-4o-mini"


def test_a_call_of_one_target_has_no_plan(run: Run) -> None:
    found = json.loads(run("explain", "hi", "-p", "mock", "--json").out)
    assert found["route"] is None
    assert [row["name"] for row in found["stack"]] == ["cache", "structured answers", "retry"]


@pytest.mark.filterwarnings("default::heavenbase.errors.FallbackWarning")
def test_several_models_stand_in_for_each_other_in_a_chat(run: Run) -> None:
    outcome = run("chat", "hi", "-m", "gpt-4o-mini", "-m", "mock/mock", "--no-stream")
    assert (outcome.code, outcome.out) == (0, "mock response\n")
    assert "mock/mock answers in the place of openai/gpt-4o-mini" in outcome.err


def test_a_route_is_named_in_a_chat(run: Run, routes: Path) -> None:
    assert run("chat", "hi", "--route", "sound", "--no-stream").out == "mock response\n"
    outcome = run("chat", "hi", "--route", "soud")
    assert outcome.code != 0
    assert "did you mean 'sound'" in outcome.err
    assert run("chat", "hi", "-o", "route=sound").err.count("--route") == 1


def test_doctor_names_what_the_targets_of_routes_lack(run: Run, routes: Path) -> None:
    rows = [row for row in json.loads(run("doctor", "--json").out)["checks"] if row["name"] == "route"]
    told = {row["detail"]: row["status"] for row in rows}
    assert told["cheap: openai/gpt-4o-mini: no key is set (OPENAI_API_KEY)"] == "warn"
    assert told["preset routed: openai/gpt-4o-mini: no key is set (OPENAI_API_KEY)"] == "warn"
    assert any(detail.startswith("sound: 1 targets, at most") and status == "ok" for detail, status in told.items())


def test_the_routes_of_the_settings_are_listed(run: Run, routes: Path) -> None:
    outcome = run("llm", "list", "routes", "--json")
    assert json.loads(outcome.out)["routes"][0] == {
        "route": "cheap",
        "kind": "cascade",
        "targets": ["gpt-4o-mini", "mock/mock"],
        "description": "small ones first",
    }
    assert "small ones first" in run("llm", "list", "routes").out


def test_middlewares_and_judges_are_listed_among_the_plugins(run: Run) -> None:
    rows = json.loads(run("plugins", "--json").out)["plugins"]
    found = {(row["kind"], row["name"]) for row in rows if row["distribution"] == "hb-routing"}
    judges = {("judge", name) for name in ("heuristic", "structured", "finish")}
    assert found == {("middleware", "routing"), *judges}
    assert json.loads(run("plugins", "info", "judge:finish", "--json").out)["plugins"][0]["name"] == "finish"
