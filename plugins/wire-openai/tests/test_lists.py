"""Models and files as servers of this wire tell of them."""

from __future__ import annotations

from typing import Any

import pytest

from hb_wire_openai.lists import file_info, file_page, model_page
from heavenbase.errors import ResponseShapeError

from .support import make_call, make_spec

CALL = make_call(make_spec())


@pytest.mark.parametrize(
    ("page", "ids", "cursor"),
    [
        ({"data": [{"id": "a"}], "has_more": True, "last_id": "z"}, ["a"], "z"),
        ({"data": [{"id": "a"}], "has_more": True}, ["a"], "a"),
        ({"data": [{"id": "a"}], "has_more": False, "last_id": "a"}, ["a"], None),
        ({"data": []}, [], None),
        ([{"id": "a"}], ["a"], None),
    ],
)
def test_v3_a_page_tells_the_next_one(page: Any, ids: list[str], cursor: str | None) -> None:
    found, following = model_page(CALL, page)
    assert ([model.id for model in found], following) == (ids, cursor)
    files, following = file_page(CALL, page)
    assert ([file.id for file in files], following) == (ids, cursor)


@pytest.mark.parametrize("page", [None, 3, {}, {"data": None}, {"data": {}}, {"data": [3]}, {"data": [{}]}])
def test_v3_what_is_no_list_is_an_error(page: Any) -> None:
    for read in (model_page, file_page):
        with pytest.raises(ResponseShapeError):
            read(CALL, page)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"id": "gpt", "created": 17, "owned_by": "openai"}, ("gpt", "openai", 17.0, None, None, None)),
        (
            {"id": "a/b", "name": "A: B", "context_length": 9, "top_provider": {"max_completion_tokens": 8}},
            ("a/b", None, None, "A: B", 9, 8),
        ),
        ({"id": "m", "max_model_len": 9}, ("m", None, None, None, 9, None)),
        ({"id": "m", "context_window": 9, "max_completion_tokens": 8}, ("m", None, None, None, 9, 8)),
        ({"id": "odd", "created": "soon", "context_length": "x", "owned_by": 3}, ("odd", *[None] * 5)),
        ({"id": "odd", "created": None, "context_length": True, "top_provider": 3}, ("odd", *[None] * 5)),
    ],
)
def test_v3_a_model_is_read_from_what_each_server_says(row: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    [model], _ = model_page(CALL, {"data": [row]})
    assert (model.id, model.owner, model.created, model.name, model.context_window, model.max_output) == wanted
    assert model.raw == row


def test_v5_a_file_is_read_from_what_each_server_says() -> None:
    said = {"id": "f", "bytes": 3, "created_at": 17, "expires_at": 18, "filename": "a.pdf", "purpose": "ocr"}
    file = file_info(CALL, {**said, "mimetype": "application/pdf", "status": "processed"})
    assert (file.id, file.size, file.created, file.expires, file.filename) == ("f", 3, 17.0, 18.0, "a.pdf")
    assert (file.purpose, file.media_type, file.status) == ("ocr", "application/pdf", "processed")
