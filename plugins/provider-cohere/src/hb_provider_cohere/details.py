"""What Cohere tells beside text: the sources of an answer, likelihoods. Pure; what is malformed is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.http import number_or_none, text_or_none, whole_or_none
from heavenbase.types import Citation, TokenLogprob
from heavenbase.wires import first_text, object_or_empty, objects, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OF_TEXT = ("TEXT_CONTENT", None, "")
"""Types of citations that stand over the answer and not over thoughts or plans."""


def citations_of(raw: Any, starts: Mapping[Any, int]) -> list[Citation]:
    """The sources in `citations`, one or many; `starts` says where in the text each block of it begins."""
    return [source for item in objects(raw if isinstance(raw, list) else [raw]) for source in _sources(item, starts)]


def _sources(item: dict[str, Any], starts: Mapping[Any, int]) -> Iterator[Citation]:
    start, end, block = whole_number(item, "start"), whole_number(item, "end"), whole_number(item, "content_index")
    if start is None or end is None or not 0 <= start <= end or item.get("type") not in _OF_TEXT:
        start = end = None
    elif block is not None:
        before = starts.get(block, 0)
        start, end = start + before, end + before
    for source in objects(item.get("sources")):
        kind = source.get("type")
        said = source.get("document" if kind == "document" else "tool_output")
        held = object_or_empty(said)
        yield Citation(
            start,
            end,
            kind="document" if kind == "document" else "tool",
            id=text_or_none(source.get("id")),
            title=first_text(held, "title", "name"),
            url=first_text(held, "url", "uri", "link"),
            quote=first_text(held, "text", "snippet", "content", "data") or text_or_none(said),
        )


def logprobs_of(raw: Any) -> list[TokenLogprob]:
    """The tokens of an answer or of a piece of one. Where several make one text, it stands with the first of them."""
    found = []
    for item in objects(raw if isinstance(raw, list) else [raw]):
        ids, likely = (value if isinstance(value := item.get(name), list) else [] for name in ("token_ids", "logprobs"))
        for place, known in enumerate(ids):
            value = likely[place] if place < len(likely) else None
            found.append(
                TokenLogprob(
                    str(item.get("text") or "") if not place else "",
                    number_or_none(value),
                    id=whole_or_none(known),
                )
            )
    return found
