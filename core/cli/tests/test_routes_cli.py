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


def test_explain_shows_the_middlewares_of_a_target(run: Run, routes: Path, site: Any) -> None:
    site.module("acme_loud", "from heavenbase.middleware import Middleware\nclass Loud(Middleware):\n    pass\n")
    site.add("acme-loud", {"heavenbase.middleware": {"loud": "acme_loud:Loud", "louder": "acme_loud:Loud"}})
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


JUDGED = """
[heavenbase.llm.routes.judged]
kind = "cascade"
targets = [{ provider = "mock", model = "a" }, { provider = "mock", model = "b" }]
judge = %s
"""


def test_a_misspelt_judge_is_told_by_explain_and_doctor(run: Run, home: Path) -> None:
    (home / "config.toml").write_text(JUDGED % '"heurstic"')
    outcome = run("explain", "hi", "--route", "judged")
    assert outcome.code != 0
    assert "unknown judge 'heurstic'; did you mean 'heuristic'?" in outcome.err
    outcome = run("doctor")
    assert outcome.code == 1
    assert "judged: unknown judge 'heurstic'; did you mean 'heuristic'?" in outcome.out


@pytest.mark.parametrize(
    ("judge", "settings", "says"),
    [
        ('{ name = "heuristic", min_output_token = 1 }', "", "did you mean 'min_output_tokens'"),
        ('{ name = "heuristic", within = 0 }', "", "within must be at least 1"),
        ('"finish"', "[heavenbase.judges.finish]\naccept_emty = true", "did you mean 'accept_empty'"),
    ],
)
def test_wrong_settings_of_a_judge_are_told_by_explain_and_doctor(
    run: Run, home: Path, judge: str, settings: str, says: str
) -> None:
    (home / "config.toml").write_text(f"{JUDGED % judge}\n{settings}\n")
    name = "heuristic" if "heuristic" in judge else "finish"
    outcome = run("explain", "hi", "--route", "judged")
    assert f"route: judged (cascade), judge {name}, at most" in outcome.out
    assert says in outcome.out
    found = json.loads(run("doctor", "--json").out)["checks"]
    (row,) = [row for row in found if row["name"] == "route" and row["status"] == "broken"]
    assert row["detail"].startswith(f"judged: judge {name}: ")
    assert says in row["detail"]


def test_explain_shows_the_judges_of_routes_in_a_route(run: Run, home: Path) -> None:
    inner = '{ route = { kind = "cascade", targets = ["mock/a", "mock/b"], judge = "finish" } }'
    (home / "config.toml").write_text(f'[heavenbase.llm.routes.outer]\ntargets = [{inner}, "mock/c"]\n')
    found = json.loads(run("explain", "hi", "--route", "outer", "--json").out)["route"]
    assert [row["judge"] for row in found["judges"]] == ["finish"]
    lines = [" ".join(line.split()) for line in run("explain", "hi", "--route", "outer").out.splitlines()]
    assert "judge finish of cascade of mock/a, mock/b" in lines


def test_explain_tells_a_wrong_middleware_as_what_it_is(run: Run, home: Path) -> None:
    preset = '[heavenbase.llm.presets.loud]\nprovider = "mock"\nmodel = "mock"\nmiddleware = ["nope"]\n'
    (home / "config.toml").write_text(preset)
    outcome = run("explain", "hi", "-p", "loud")
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert lines[lines.index("stack") + 1].startswith("  cannot be made: unknown middleware 'nope'")
    assert not [line for line in lines if line.startswith("route:")]


def test_explain_names_both_origins_of_middlewares_that_are_added(run: Run, home: Path) -> None:
    (home / "config.toml").write_text(
        '[heavenbase.llm.default_args]\nmiddleware = ["b"]\n'
        '[heavenbase.llm.presets.loud]\nprovider = "mock"\nmodel = "mock"\nmiddleware = ["a"]\n'
    )
    row = json.loads(run("explain", "hi", "-p", "loud", "--json").out)["arguments"]["middleware"]
    assert row["value"] == ["a", "b"]
    assert row["origin"] == f"preset loud and user file {home / 'config.toml'}:2"
