"""JSON found in what models write around it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.structured import find_json

VALUE = {"name": "Al", "note": "uses ``` and {braces}"}
BARE = json.dumps(VALUE)


@pytest.mark.parametrize(
    "text",
    [
        BARE,
        f"\ufeff  {BARE}\n",
        f"```json\n{BARE}\n```",
        f"```\n{BARE}\n```\nI hope that helps {{really}}!",
        f"Sure! With {{placeholders}} and [brackets], here it is:\n\n{BARE}\n\nLet me know.",
        f'For example {{"name": "x"}}, so: {BARE}',
        f"<think>\nmaybe {{}} or {{\"name\": 1}}</think>\n{BARE}",
        f"The answer is {BARE}.",
    ],
)  # fmt: skip
def test_the_answer_is_found_whatever_stands_around_it(text: str) -> None:
    assert next(find_json(text)) == VALUE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Here {it is}: {'a': 1, 'b': None,}", {"a": 1, "b": None}),
        ('{"a": 1, "b": [1, 2,],}', {"a": 1, "b": [1, 2]}),
        ("[1, 2]", [1, 2]),
        ("```json\n[1]\n```", [1]),
        ("null", None),
    ],
)
def test_other_values_are_found_and_small_mistakes_mended(text: str, value: Any) -> None:
    assert value in list(find_json(text))


@pytest.mark.parametrize("text", ["", "   ", "no JSON here", "NaN", "I like {braces} and [lists"])
def test_texts_without_json_hold_nothing(text: str) -> None:
    assert [value for value in find_json(text) if value != {}] == []


def test_hostile_brackets_end_soon() -> None:
    assert list(find_json("[" * 30_000)) == []
    assert next(find_json("{" * 1000 + ' {"a": 1}')) == {"a": 1}


objects = st.dictionaries(
    st.text(max_size=8),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=12), lambda inner: st.lists(inner)),
    min_size=1,
    max_size=4,
)


@given(objects, st.text(alphabet="abc .!?\n", max_size=20), st.text(alphabet="abc .!?\n", max_size=20))
def test_any_object_in_any_prose_is_found(value: dict[str, Any], before: str, after: str) -> None:
    assert next(find_json(before + json.dumps(value) + after)) == value
