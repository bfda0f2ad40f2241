"""Lists in pages, and models as the wires tell of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from heavenbase.errors import ResponseShapeError
from heavenbase.operations import listed, model_info
from heavenbase.operations.listing import PAGES

from ..support import scripted


def call(limit: int = 10_000) -> Any:
    made = scripted()
    return made.kernel.call("models", made.llm.spec, {}, is_async=False, subject=limit)


class Pages:
    """Answers one page after the other; `asked` are the cursors."""

    def __init__(self, *pages: Any) -> None:
        self.pages = list(pages)
        self.asked: list[str | None] = []

    async def exchange(self, call: Any, cursor: str | None, read: Any) -> Any:
        self.asked.append(cursor)
        return read(None, self.pages.pop(0) if len(self.pages) > 1 else self.pages[0])


def ids(gateway: Pages, limit: int = 10_000, name: str = "data") -> Any:
    found = asyncio.run(listed(gateway, call(limit), lambda cursor: cursor, model_info, name))  # type: ignore[arg-type,return-value]
    return SimpleNamespace(ids=[model.id for model in found], more=found.has_more, raw=found.raw)


@pytest.mark.parametrize(
    ("pages", "name"),
    [
        (
            [{"data": [{"id": "a"}], "has_more": True, "last_id": "a"}, {"data": [{"id": "b"}], "has_more": False}],
            "data",
        ),
        ([{"data": [{"id": "a"}], "has_more": True}, {"data": [{"id": "b"}]}], "data"),
        ([{"models": [{"name": "models/a"}], "nextPageToken": "a"}, {"models": [{"name": "models/b"}]}], "models"),
        ([{"models": [{"name": "a"}], "next_page_token": "a"}, {"models": [{"name": "b"}]}], "models"),
        ([[{"id": "a"}, {"id": "b"}]], "data"),
    ],
)
def test_v3_pages_are_followed_by_each_kind_of_cursor(pages: list[Any], name: str) -> None:
    gateway = Pages(*pages)
    assert ids(gateway, name=name).ids == ["a", "b"]
    assert gateway.asked == [None, "a"][: len(pages)]


def test_v3_no_more_pages_are_read_than_asked_for() -> None:
    page = {"data": [{"id": "a"}, {"id": "b"}], "has_more": True, "last_id": "b"}
    gateway = Pages(page)
    found = ids(gateway, 1)
    assert (found.ids, found.more, len(gateway.asked)) == (["a"], True, 1)


def test_v3_a_list_without_an_end_ends() -> None:
    same = Pages({"data": [{"id": "a"}], "has_more": True, "last_id": "a"})
    found = ids(same)
    assert (len(found.ids), found.more) == (2, False)
    turn = {"n": 0}

    class Endless(Pages):
        async def exchange(self, call: Any, cursor: str | None, read: Any) -> Any:
            turn["n"] += 1
            return read(None, {"data": [{"id": "a"}], "has_more": True, "last_id": str(turn["n"])})

    found = ids(Endless({}))
    assert (turn["n"], len(found.ids), found.more) == (PAGES, PAGES, True)


@pytest.mark.parametrize("page", [None, 3, "x", {"data": None}, {"data": {}}, {"data": [3]}, {"data": [{}]}, {}])
def test_v3_what_is_no_list_of_models_is_an_error(page: Any) -> None:
    with pytest.raises(ResponseShapeError):
        ids(Pages(page))


def test_v3_google_leaves_out_an_empty_list() -> None:
    assert ids(Pages({}), name="models").ids == []


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"id": "gpt", "created": 17, "owned_by": "openai"}, ("gpt", "openai", 17.0, None, None, None)),
        (
            {"id": "claude", "display_name": "Claude", "created_at": "2025-09-29T00:00:00Z"},
            ("claude", None, 1759104000.0, "Claude", None, None),
        ),
        (
            {"name": "models/gemini", "displayName": "Gemini", "inputTokenLimit": 9, "outputTokenLimit": 8},
            ("gemini", None, None, "Gemini", 9, 8),
        ),
        (
            {"id": "a/b", "name": "A: B", "context_length": 9, "top_provider": {"max_completion_tokens": 8}},
            ("a/b", None, None, "A: B", 9, 8),
        ),
        ({"id": "m", "max_model_len": 9}, ("m", None, None, None, 9, None)),
        (
            {"modelId": "acme.m", "modelName": "M", "providerName": "Acme"},
            ("acme.m", "Acme", None, "M", None, None),
        ),
        ({"name": "publishers/google/models/gemini"}, ("gemini", *[None] * 5)),
        ({"id": "odd", "created": "soon", "context_length": "x", "owned_by": 3}, ("odd", None, None, None, None, None)),
        ({"id": "odd", "created": None, "context_length": True, "top_provider": 3}, ("odd", *[None] * 5)),
    ],
)  # fmt: skip
def test_v3_a_model_is_read_from_what_any_wire_says(row: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    model = model_info(call(), row)
    assert (model.id, model.owner, model.created, model.name, model.context_window, model.max_output) == wanted
    assert model.raw == row
