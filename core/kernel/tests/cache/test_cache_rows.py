"""How answers are kept as bytes: whatever an answer holds comes back, and damaged bytes are an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavenbase.cache import rows as rows
from heavenbase.image.image import LLMImage
from heavenbase.types import Chunk, Completion, ImageResult, ParameterReport, ToolCall, ToolCallDelta, Usage
from heavenbase.vector import Vector

from .test_caching import PIXEL

TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
NAME = st.none() | TEXT
COUNT = st.none() | st.integers(0, 10**9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
USAGE = st.none() | st.builds(Usage, COUNT, COUNT, cache_read=COUNT, reasoning=COUNT, cost=st.none() | st.just("0.01"))
PARTS = st.lists(st.dictionaries(TEXT, TEXT | st.binary(max_size=9), max_size=3), max_size=2)
CALL = st.builds(ToolCall, TEXT, TEXT, TEXT)
COMPLETION = st.builds(
    Completion,
    TEXT,
    reasoning=TEXT,
    tool_calls=st.lists(CALL, max_size=2),
    finish_reason=st.sampled_from(["stop", "tool_calls"]),
    raw_finish_reason=NAME,
    usage=USAGE,
    id=NAME,
    model=NAME,
    reasoning_parts=PARTS,
    request_id=NAME,
    raw=JSON,
)
DELTA = st.builds(ToolCallDelta, st.none() | st.integers(0, 9), NAME, NAME, TEXT)
CHUNK = st.builds(
    Chunk,
    TEXT,
    reasoning=TEXT,
    tool_calls=st.none() | st.lists(DELTA, min_size=1, max_size=2),
    finish_reason=st.sampled_from([None, "stop", "tool_calls"]),
    raw_finish_reason=st.none() | st.just("end"),
    usage=USAGE,
    id=st.none() | st.just("x"),
    model=st.none() | st.just("m"),
    reasoning_parts=st.none()
    | st.lists(st.fixed_dictionaries({"data": st.binary(max_size=9)}), min_size=1, max_size=2),
    raw=st.none() | st.dictionaries(TEXT, JSON, min_size=1, max_size=2),
)
FIELDS = (
    *("text", "reasoning", "tool_calls", "finish_reason", "raw_finish_reason", "usage", "id", "model"),
    *("reasoning_parts", "request_id", "raw", "images"),
)


def report(*dropped: str) -> ParameterReport:
    made = ParameterReport()
    made.sent("temperature")
    made.renamed("max_tokens", "max_completion_tokens")
    for name in dropped:
        made.dropped(name, "the wire has none")
    return made


@settings(max_examples=60)
@given(answer=COMPLETION)
def test_a_completion_comes_back_as_it_was(answer: Completion) -> None:
    value = rows.encode_completion(answer, None, report(), {"args": {}})
    found = rows.completion_of(value)
    assert found.cached
    for name in FIELDS:
        assert _plain(getattr(found, name)) == _plain(getattr(answer, name)), name
    assert rows.text_of(value) == (answer.text if not answer.tool_calls else None)
    assert rows.request_of(value) == {"args": {}}


def _plain(value: Any) -> Any:
    """-0.0 and 0.0 are told apart, and 1 and True."""
    return repr(value)


@settings(max_examples=60)
@given(chunks=st.lists(CHUNK, min_size=1, max_size=4))
def test_chunks_come_back_as_they_were(chunks: list[Chunk]) -> None:
    value = rows.encode_completion(Completion("x", finish_reason="stop"), chunks, report(), {})
    assert rows.chunks_of(value) == chunks
    assert rows.completion_of(value).raw == [chunk.raw for chunk in chunks if chunk.raw is not None]


@pytest.mark.parametrize("typecode", ["f", "d"])
def test_a_vector_comes_back_to_the_last_bit(typecode: str) -> None:
    vector = Vector([0.1, -0.0, 1e30, 10.0], typecode)  # 10.0 holds bytes that are line ends
    value = rows.encode_vector(vector, "m", {"input": "a\nb"})
    found, model = rows.vector_of(value)
    assert (found.tobytes(), found.typecode, model) == (vector.tobytes(), typecode, "m")
    assert rows.request_of(value) == {"input": "a\nb"}
    with pytest.raises(ValueError):
        rows.vector_of(value[:-3])
    with pytest.raises(ValueError, match="cut off"):
        rows.vector_of(value[: -vector.itemsize])


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {"data": [{"b64_json": PIXEL, "n": 1}]},
        {"choices": [{"message": {"images": [{"image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]}}]},
    ],
)
def test_an_image_is_kept_once_though_the_raw_answer_repeats_it(raw: Any) -> None:
    result = ImageResult([LLMImage(PIXEL, revised_prompt="a cat")], usage=Usage(1, 2), model="m", raw=raw)
    value = rows.encode_images(result, report(), {"prompt": "cat"})
    assert value.count(PIXEL.encode()) == 1
    found = rows.images_of(value)
    assert (found.images, found.raw, found.usage, found.model) == (result.images, raw, result.usage, "m")
    assert found.images[0].revised_prompt == "a cat"


def test_what_became_of_the_parameters_is_kept_and_a_loss_bars_the_short_way() -> None:
    answer = Completion("x", finish_reason="stop")
    value = rows.encode_completion(answer, None, report(), {})
    assert [entry.to_dict() for entry in rows.report_of(value)] == [e.to_dict() for e in report().entries.values()]
    assert rows.text_of(value) == "x"
    assert rows.text_of(rows.encode_completion(answer, None, report("stop"), {})) is None


def test_an_object_of_an_sdk_in_the_raw_answer_is_kept_as_data() -> None:
    class Model:
        def model_dump(self) -> dict[str, int]:
            return {"a": 1}

    answer = Completion("x", finish_reason="stop", raw={"choice": Model(), "when": object})
    found = rows.completion_of(rows.encode_completion(answer, None, report(), {})).raw
    assert found["choice"] == {"a": 1}
    assert isinstance(found["when"], str)


@settings(max_examples=60)
@given(data=st.data())
def test_cut_or_changed_bytes_are_an_error_or_the_same_kind_of_answer(data: st.DataObject) -> None:
    value = rows.encode_completion(Completion("hello", finish_reason="stop", raw={"a": 1}), None, report(), {})
    place = data.draw(st.integers(0, len(value) - 1))
    broken = data.draw(st.sampled_from([value[:place], value[:place] + b"\xff" + value[place + 1 :]]))
    try:
        found = rows.completion_of(broken)
    except (ValueError, KeyError, IndexError, TypeError):
        return
    assert isinstance(found.text, str)
