"""Lists of models and files, and what is said of one, as servers of this wire write them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from heavenbase.http import as_list, as_object
from heavenbase.operations import FileInfo, ModelInfo, id_of, number_of, seconds_of
from heavenbase.wires import first_text, object_or_empty

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call

T = TypeVar("T")

_OUTPUT = ("max_completion_tokens", "max_output_tokens")


def model_page(call: Call, decoded: Any) -> tuple[list[ModelInfo], str | None]:
    """(the models of a page, the cursor of the next one)."""
    rows, cursor = _page(call, decoded)
    return [_model(call, as_object(call, row, "a model")) for row in rows], cursor


def file_page(call: Call, decoded: Any) -> tuple[list[FileInfo], str | None]:
    """(the files of a page, the cursor of the next one)."""
    rows, cursor = _page(call, decoded)
    return [file_info(call, row) for row in rows], cursor


def id_page(call: Call, decoded: Any, make: Callable[[Call, Any], T]) -> tuple[list[T], str | None]:
    """(what `make` tells of the rows of a page, the cursor of the next one)."""
    rows, cursor = _page(call, decoded)
    return [make(call, row) for row in rows], cursor


def file_info(call: Call, row: Any) -> FileInfo:
    """What is said of one file."""
    row = as_object(call, row, "the file")
    return FileInfo(
        id_of(call, row),
        filename=first_text(row, "filename"),
        size=number_of(row, "bytes"),
        media_type=first_text(row, "mimetype", "mime_type"),
        purpose=first_text(row, "purpose"),
        created=seconds_of(row, "created_at"),
        expires=seconds_of(row, "expires_at"),
        status=first_text(row, "status"),
        raw=row,
    )


def _page(call: Call, decoded: Any) -> tuple[list[Any], str | None]:
    if isinstance(decoded, list):  # some servers leave the envelope out
        return decoded, None
    page = as_object(call, decoded, "the list")
    rows = as_list(call, page.get("data"), "`data`")
    last = object_or_empty(rows[-1]) if rows else {}
    return rows, (first_text(page, "last_id") or first_text(last, "id")) if page.get("has_more") else None


def _model(call: Call, row: dict[str, Any]) -> ModelInfo:
    return ModelInfo(
        id_of(call, row),
        owner=first_text(row, "owned_by", "organization"),
        created=seconds_of(row, "created", "created_at"),
        name=first_text(row, "display_name", "name"),
        context_window=number_of(row, "context_window", "context_length", "max_context_length", "max_model_len"),
        max_output=number_of(row, *_OUTPUT) or number_of(object_or_empty(row.get("top_provider")), *_OUTPUT),
        raw=row,
    )
