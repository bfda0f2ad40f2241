"""Lists that come in pages, and models as every wire tells of them: what a gateway needs to read them. Pure but for
the requests that it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from heavenbase.http.payload import as_list, as_object, shape_error
from heavenbase.operations.results import Listing, ModelInfo

if TYPE_CHECKING:
    from heavenbase.call import Call, WireRequest

T = TypeVar("T")

PAGES = 100
"""Pages of one list that are read."""
_CURSORS = ("nextPageToken", "next_page_token", "next_page")

_OWNER = ("owned_by", "organization", "providerName")
_NAME = ("display_name", "displayName", "modelName", "name")
_CONTEXT = ("context_window", "context_length", "max_context_length", "max_model_len", "inputTokenLimit")
_OUTPUT = ("max_completion_tokens", "max_output_tokens", "outputTokenLimit", "max_tokens")
_CREATED = ("created", "created_at", "modified_at")


async def listed(
    gateway: Any,
    call: Call,
    request: Callable[[str | None], WireRequest],
    make: Callable[[Call, Mapping[str, Any]], T],
    name: str = "data",
) -> Listing[T]:
    """The items in the field `name` of the pages of a list, up to the number in `call.subject`.

    `request` makes that of the page behind a cursor, of the first one for None; `make` an item from its row.
    """
    items: list[T] = []
    pages: list[Any] = []
    cursor: str | None = None
    for _ in range(PAGES):
        decoded, rows, following = await gateway.exchange(
            call, request(cursor), lambda _, decoded: (decoded, *_page(call, decoded, name))
        )
        items += [make(call, as_object(call, row, "an item of the list")) for row in rows]
        pages.append(decoded)
        more = following is not None and following != cursor
        if len(items) >= call.subject or not more:
            break
        cursor = following
    return Listing(
        items[: call.subject],
        len(items) > call.subject or more,
        raw=pages[0] if len(pages) == 1 else pages,
    )


def _page(call: Call, decoded: Any, name: str) -> tuple[list[Any], str | None]:
    """(the rows, the cursor of the next page)."""
    if isinstance(decoded, list):  # some servers leave the envelope out
        return decoded, None
    page = as_object(call, decoded, "the list")
    # Google leaves out a list that is empty.
    rows = [] if page == {} and name != "data" else as_list(call, page.get(name), f"`{name}`")
    if page.get("has_more"):
        last = page.get("last_id") or (rows[-1].get("id") if rows and isinstance(rows[-1], dict) else None)
        return rows, last if isinstance(last, str) else None
    found = next((page[field] for field in _CURSORS if page.get(field)), None)
    return rows, found if isinstance(found, str) else None


def model_info(call: Call, row: Mapping[str, Any]) -> ModelInfo:
    """A model from what any of the wires says of one; ResponseShapeError where it has no name."""
    found = next((row[name] for name in ("id", "modelId", "model", "name") if isinstance(row.get(name), str)), "")
    if not found:
        raise shape_error(call, "a model of the list has no id")
    top = row.get("top_provider")
    return ModelInfo(
        found.rpartition("models/")[2] if found.startswith(("models/", "publishers/")) else found,
        owner=_text(row, _OWNER),
        created=_seconds(row),
        name=_text(row, _NAME if row.get("name") != found else _NAME[:-1]),
        context_window=_number(row, _CONTEXT),
        max_output=_number(row, _OUTPUT) or (_number(top, _OUTPUT) if isinstance(top, dict) else None),
        raw=dict(row),
    )


def _text(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name]), None)


def _number(row: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return int(value)
    return None


def _seconds(row: Mapping[str, Any]) -> float | None:
    """Epoch seconds of the first date that can be read."""
    from datetime import datetime

    for name in _CREATED:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).timestamp()
            except (ValueError, OverflowError):
                continue
    return None
