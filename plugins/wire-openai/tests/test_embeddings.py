"""Embeddings: base64 and floats, order, counts, what is no vector."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from hb_wire_openai.embeddings import embedding
from heavenbase.errors import ResponseShapeError

from .support import make_call, make_spec, prepared


def read(*items: Any, inputs: int = 1) -> list[list[float]]:
    call = make_call(make_spec(), "embed", inputs=["x"] * inputs)
    return embedding(call, {"data": list(items)}).vectors


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_only_what_embeddings_know_is_sent() -> None:
    spec = make_spec(args={"temperature": 0, "seed": 42, "think": False})
    request, outcomes = prepared(spec, "embed", inputs=["x"], dimensions=256, encoding_format="float", made_up=1)
    assert request.url.endswith("/v1/embeddings")
    assert request.body == {
        "model": "gpt-4o-mini",
        "input": ["x"],
        "dimensions": 256,
        "encoding_format": "float",
        "made_up": 1,
    }
    assert outcomes == {
        **dict.fromkeys(("temperature", "seed", "think"), "dropped"),
        **dict.fromkeys(("dimensions", "encoding_format", "made_up"), "sent"),
    }


def test_base64_and_floats_read_the_same() -> None:
    assert read({"index": 0, "embedding": packed(0.5, -1.25)}) == [[0.5, -1.25]]
    assert read({"index": 0, "embedding": [0.5, -1.25]}) == [[0.5, -1.25]]
    assert read({"embedding": [1, 2]}) == [[1.0, 2.0]]
    assert all(type(number) is float for number in read({"embedding": [1, 2]})[0])


def test_vectors_are_put_in_the_order_of_the_inputs() -> None:
    items = [{"index": 2, "embedding": [2.0]}, {"index": 0, "embedding": [0.0]}, {"index": 1, "embedding": [1.0]}]
    assert read(*items, inputs=3) == [[0.0], [1.0], [2.0]]


@pytest.mark.parametrize(
    ("items", "inputs"),
    [
        ([], 1),
        ([{"index": 0, "embedding": [1.0]}], 2),
        ([{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}], 2),
        ([{"index": 5, "embedding": [1.0]}], 1),
        ([{"index": "0", "embedding": [1.0]}], 1),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}], 2),
        ([{"index": 0, "embedding": []}], 1),
        ([{"index": 0, "embedding": ""}], 1),
        ([{"index": 0, "embedding": None}], 1),
        ([{"index": 0, "embedding": ["x"]}], 1),
        ([{"index": 0, "embedding": [True]}], 1),
        ([{"index": 0, "embedding": "AAA"}], 1),
        ([{"index": 0, "embedding": "!!"}], 1),
        ([{"index": 0, "embedding": packed(float("nan"))}], 1),
        ([{"index": 0, "embedding": packed(1.0, float("-inf"))}], 1),
        ([{"index": 0, "embedding": [1.0, float("nan")]}], 1),
        (["x"], 1),
    ],
)
def test_what_is_no_vector(items: list[Any], inputs: int) -> None:
    with pytest.raises(ResponseShapeError):
        read(*items, inputs=inputs)


def test_large_numbers_are_not_taken_for_infinity() -> None:
    assert read({"index": 0, "embedding": packed(2.0**127)}) == [[2.0**127]]
