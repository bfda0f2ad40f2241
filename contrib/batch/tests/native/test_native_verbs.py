"""Embeddings and images in native batches: rows as live calls give them, limits of the provider's, clear refusals."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from hb_batch.native.parts import Piles
from hb_batch.native.settings import NativeSettings
from hb_batch.rows import read_row, success_row
from hb_testing.conformance.colours import Colour
from hb_testing.conformance.rig import Clock, environment
from hb_testing.server import LoopbackServer
from heavenbase.config.config import Config
from heavenbase.errors import InputError, SecurityWarning
from heavenbase.image import make_picture
from heavenbase.kernel import Kernel
from heavenbase.operations import BatchPart

from .bench import Bench, line

URLS = {"embed": "/v1/embeddings", "imagen": "/v1/images/generations"}
BODIES: dict[str, list[dict[str, Any]]] = {
    "embed": [
        {"input": "a text"},
        {"input": ["one", "two", "one"], "dimensions": 4},
        {"input": ["x"], "encoding_format": "base64"},
    ],
    "imagen": [{"prompt": "a cat"}, {"prompt": "two cats", "n": 2, "size": "1024x1024"}],
}
MODELS = {"embed": "openai/text-embedding-3-small", "imagen": "openai/gpt-image-1"}


def asked(name: str, verb: str, **body: Any) -> str:
    """A request of a file."""
    return json.dumps({"custom_id": name, "method": "POST", "url": URLS[verb], "body": body}) + "\n"


@pytest.mark.parametrize("verb", sorted(BODIES))
def test_each_row_equals_that_of_a_live_call(server: LoopbackServer, colour: Colour, tmp_path: Path, verb: str) -> None:
    bodies = BODIES[verb]
    rows = [asked(f"r{place}", verb, **body) for place, body in enumerate(bodies)]
    bench = Bench(server, colour, "openai", tmp_path, *rows, model=MODELS[verb])
    bench.kept.is_shuffled = True
    assert bench.run().counts == {"success": len(bodies)}
    [endpoint] = {event["place"]["endpoint"] for event in bench.events if event["event"] == "intent"}
    assert endpoint == URLS[verb]
    clock = Clock()
    with Kernel(Config.from_dict({}, environ=environment()), clock=clock, sleep=clock.sleep) as kernel:
        targets = bench.targets(kernel, None, "k")
        for place, data in enumerate(rows):
            row = read_row(data.encode(), place + 1)
            llm, options = bench.target(targets, row)
            about = {"embed": {"inputs": _texts(row.content)}, "imagen": {"prompt": row.content}}[verb]
            live = success_row(row, kernel.run(kernel.call(verb, llm.spec, options, is_async=False, **about)))
            native = bench.rows[f"r{place}"]
            for each in (live, native):
                each["response"].pop("request_id")
                each.pop("elapsed")
                each.pop("cost")
                each["usage"].pop("tier", None)
                each["response"]["body"].pop("created", None)
            assert json.loads(json.dumps(live)) == native


def _texts(content: Any) -> list[str]:
    return [content] if isinstance(content, str) else content


def test_chats_embeddings_and_images_of_one_file_are_a_job_each(
    server: LoopbackServer, colour: Colour, tmp_path: Path
) -> None:
    rows = [line("c"), asked("e", "embed", input="x"), asked("i", "imagen", prompt="a cat"), line("d")]
    bench = Bench(server, colour, "openai", tmp_path, *rows)
    assert bench.run().counts == {"success": 4}
    assert bench.submits == 3
    bodies = {name: row["response"]["body"] for name, row in bench.rows.items()}
    assert bodies["c"]["choices"]
    assert bodies["e"]["data"][0]["embedding"]
    assert bodies["i"]["data"][0]["b64_json"]


def test_what_a_batch_has_not_is_invalid_before_anything_is_sent(
    server: LoopbackServer, colour: Colour, tmp_path: Path
) -> None:
    picture = f"data:image/png;base64,{b64encode(make_picture('hat')).decode()}"
    bad = [
        asked("empty", "embed", input=[]),
        asked("number", "embed", input=[1, 2]),
        asked("many", "embed", input=[f"x{number}" for number in range(2049)]),
        asked("blank", "imagen", prompt=" "),
        asked("edit", "imagen", prompt="a hat", images=[picture]),
    ]
    bench = Bench(server, colour, "openai", tmp_path, *bad)
    assert bench.run().counts == {"invalid": 5}
    told = {name: row["error"]["message"] for name, row in bench.rows.items()}
    assert "no text" in told["empty"]
    assert "input 0 is int, not a str" in told["number"]
    assert "2049 texts" in told["many"]
    assert "2048 at once" in told["many"]
    assert "prompt" in told["blank"]
    assert "edits none" in told["edit"]
    assert server.requests == []


def test_a_provider_whose_batches_are_of_chats_says_so_in_the_row(
    server: LoopbackServer, colour: Colour, tmp_path: Path
) -> None:
    rows = [line("c"), asked("e", "embed", input="x"), asked("i", "imagen", prompt="a cat")]
    bench = Bench(server, colour, "anthropic", tmp_path, *rows)
    assert bench.run().counts == {"success": 1, "invalid": 2}
    for name, what in (("e", "embeddings"), ("i", "images")):
        assert f"has chats, and no {what}; mode sync answers them" in bench.rows[name]["error"]["message"]


def test_a_failed_embedding_has_its_error(server: LoopbackServer, colour: Colour, tmp_path: Path) -> None:
    rows = [asked(name, "embed", input="x") for name in "abc"]
    bench = Bench(server, colour, "openai", tmp_path, *rows, model=MODELS["embed"])

    def fated(_: Any) -> None:
        bench.kept.fates |= {f"{bench.events[0]['run']}-{number}": fate for number, fate in ((1, 400), (2, "expired"))}

    server.script(fated)
    bench.run()
    assert bench.statuses == {"a": "error", "b": "expired", "c": "success"}
    assert bench.rows["a"]["response"]["status_code"] == 400


class _Endpoint:
    """What a pile asks of an endpoint."""

    most_requests, most_inputs, most_bytes, has_mixed_models = 50_000, 50_000, 10**9, True

    class spec:
        gateway = "g"

        @staticmethod
        def target_key() -> str:
            return "k"


def test_the_texts_of_a_job_are_counted() -> None:
    endpoint: Any = _Endpoint()
    piles, made = Piles(NativeSettings()), BatchPart([b"{}"], "/v1/embeddings")
    full = [pile for number in range(1, 60) for pile in piles.add(endpoint, number, made, 2048)]
    whole = [*full, *piles.rest()]
    assert [pile.inputs for pile in whole] == [24 * 2048, 24 * 2048, 11 * 2048]
    with pytest.raises(InputError, match="50001 texts"):
        list(piles.add(endpoint, 60, made, 50_001))


def test_limits_are_not_spent_on_what_sends_nothing(server: LoopbackServer, colour: Colour, tmp_path: Path) -> None:
    from hb_limits import Budgets, Limits

    limits = Limits(rules=[{"name": "few", "match": "*", "requests_per_minute": 60}])
    budgets = Budgets(rules=[{"name": "none", "tokens": 1}])
    bench = Bench(server, colour, "openai", tmp_path, *(line(f"r{number}") for number in range(200)))
    bench.middleware = [limits, budgets]
    with pytest.warns(SecurityWarning, match="native batch of openai/.* counts in no budget, nor in 'none'"):
        assert bench.run().counts == {"success": 200}
    assert 0 < limits.status()["granted"] <= len(server.requests) < 20
    assert budgets.status().get("granted", 0) == 0
    assert sum(bench.clock.slept) < 60
