"""The sources that a block of text names, and what stopped an answer. Pure; what is malformed is passed over."""

from __future__ import annotations

from typing import Any

from heavenbase.http import text_or_none, whole_or_none
from heavenbase.types import Citation, FilterResult
from heavenbase.wires import whole_number

# By the kind of a citation: what its source is, what the places in it are counted in, and the names of the ends.
_PLACES: dict[str, tuple[Any, Any, str, str]] = {
    "char_location": ("document", "characters", "start_char_index", "end_char_index"),
    "page_location": ("document", "pages", "start_page_number", "end_page_number"),
    "content_block_location": ("document", "blocks", "start_block_index", "end_block_index"),
    "search_result_location": ("search_result", "blocks", "start_block_index", "end_block_index"),
}


def citations_of(block: dict[str, Any], offset: int) -> list[Citation]:
    """The citations of a block whose text begins at `offset` of the answer's."""
    found = block.get("citations")
    end = offset + len(block.get("text") or "")
    return [_citation(it, offset, end) for it in found if isinstance(it, dict)] if isinstance(found, list) else []


def filters_of(details: Any) -> list[FilterResult]:
    """What a refusal was for, from `stop_details`."""
    category = text_or_none(details.get("category")) if isinstance(details, dict) else None
    return [FilterResult(category, filtered=True)] if category else []


def _citation(raw: dict[str, Any], start: int, end: int) -> Citation:
    kind, unit, first, last = _PLACES.get(str(raw.get("type")), ("url", None, "", ""))
    source = text_or_none(raw.get("source"))
    is_address = source is not None and source.startswith(("https://", "http://"))
    places = whole_or_none(raw.get(first)), whole_or_none(raw.get(last))
    is_placed = None not in places
    return Citation(
        start,
        end,
        kind=kind,
        id=text_or_none(raw.get("file_id")) or source,
        document=whole_number(raw, "document_index", whole_number(raw, "search_result_index")),
        title=text_or_none(raw.get("title")) or text_or_none(raw.get("document_title")),
        url=text_or_none(raw.get("url")) or (source if is_address else None),
        quote=text_or_none(raw.get("cited_text")),
        source_start=places[0] if is_placed else None,
        source_end=places[1] if is_placed else None,
        unit=unit if is_placed else None,
    )
