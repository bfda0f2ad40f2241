"""What the OpenAI wires tell beside text: annotations, logprobs, filters, sound. Pure; the malformed is passed over.

Chat and Responses have the same things in slightly different shapes, and providers on the chat wire have their own:
sources of a search at the top of the answer, documents in its context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.http import number_or_none, text_or_none, whole_or_none
from heavenbase.types import Audio, Citation, FilterResult, TokenLogprob
from heavenbase.wires import any_number, first_text, object_or_empty, objects, token_logprobs, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heavenbase.details import SourceKind

_URLS = ("url", "link", "uri")
_QUOTES = ("content", "snippet", "text", "quote")
_KINDS: dict[Any, SourceKind] = {
    **dict.fromkeys(("file_citation", "container_file_citation", "file_path"), "file"),
    "document_citation": "document",
    "function_citation": "tool",
}
_IDS = ("file_id", "id", "chunk_id", "document_id", "tool_call_id")

SOURCES = ("citations", "search_results", "web_search")
"""Where an answer or event names sources beside its choices."""
BESIDE = frozenset({*SOURCES, "prompt_filter_results", "content_filters", "moderation"})
"""What it may tell beside them."""


def citations_of(items: Any, offset: int = 0) -> list[Citation]:
    """Annotations of a text that begins at `offset` of the answer's."""
    # One provider gives back what it read of the caller's files here.
    return [_annotation(item, offset) for item in objects(items) if item.get("type") != "file"]


def _annotation(item: dict[str, Any], offset: int) -> Citation:
    kind = str(item.get("type") or "url_citation")
    inner = item.get(kind)
    said = inner if isinstance(inner, dict) else item
    start, end = whole_number(said, "start_index"), whole_number(said, "end_index")
    if start is None:
        start = end = whole_number(said, "index")  # a file is cited at a place, not over a stretch
    found = source_of(said, _KINDS.get(kind, "url"))
    if start is not None and end is not None and 0 <= start <= end:
        found.start, found.end = start + offset, end + offset
    return found


def source_of(said: Any, kind: Any = "url") -> Citation:
    """A source without a stretch of text: an address, or an object that describes it."""
    if not isinstance(said, dict):
        return Citation(url=text_or_none(said))
    return Citation(
        kind=kind,
        id=first_text(said, *_IDS),
        title=first_text(said, "title", "filename", "filepath"),
        url=first_text(said, *_URLS),
        quote=first_text(said, *_QUOTES),
    )


def sources_of(decoded: dict[str, Any]) -> list[Citation]:
    """The sources that a provider names at the top of its answer: in order, so that [1] in the text is the first."""
    found_by = objects(decoded.get("search_results")) or objects(decoded.get("web_search"))
    described = {it.url: it for it in map(source_of, found_by)}
    listed = decoded.get("citations")
    found = [source_of(item) for item in listed if isinstance(item, str | dict)] if isinstance(listed, list) else []
    return [described.get(it.url, it) for it in found] or list(described.values())


def context_of(message: dict[str, Any]) -> list[Citation]:
    """The documents of the user's own data that a message says it was written from."""
    context = message.get("context")
    listed = context.get("citations") if isinstance(context, dict) else None
    found = [source_of(item, "document") for item in objects(listed)]
    for place, citation in enumerate(found):
        citation.document = place
    return found


def logprobs_of(raw: Any) -> list[TokenLogprob]:
    """The tokens of a choice or of a text, in either shape of the wire."""
    if isinstance(raw, dict):
        content = token_logprobs(raw.get("content")) + token_logprobs(raw.get("refusal"))
        return content or list(_legacy(raw))
    return token_logprobs(raw)


def _legacy(raw: dict[str, Any]) -> Iterator[TokenLogprob]:
    names = ("tokens", "token_logprobs", "top_logprobs", "token_ids")
    tokens, likely, top, ids = (found if isinstance(found := raw.get(name), list) else [] for name in names)
    for place, token in enumerate(tokens):
        others = top[place] if place < len(top) and isinstance(top[place], dict) else {}
        yield TokenLogprob(
            str(token),
            number_or_none(likely[place]) if place < len(likely) else None,
            [TokenLogprob(str(name), any_number(others, name)) for name in others],
            id=whole_or_none(ids[place]) if place < len(ids) else None,
        )


def filters_of(results: Any, on: Any = "answer") -> list[FilterResult]:
    """The verdict for each category."""
    return [
        FilterResult(
            str(category),
            on,
            _flag(verdict, "filtered"),
            _flag(verdict, "detected"),
            text_or_none(verdict.get("severity")),
        )
        for category, verdict in object_or_empty(results).items()
        if isinstance(verdict, dict) and category != "error"
    ]


def filters_beside(decoded: dict[str, Any]) -> list[FilterResult]:
    """What filters found in prompt and answer, as it stands beside the choices or items."""
    found = []
    for item in objects(decoded.get("prompt_filter_results")):
        found += filters_of(item.get("content_filter_results"), "prompt")
    for item in objects(decoded.get("content_filters")):
        on = "prompt" if item.get("source_type") == "prompt" else "answer"
        found += filters_of(item.get("content_filter_results"), on)
    moderated = decoded.get("moderation")
    if isinstance(moderated, dict):
        for name, on in (("input", "prompt"), ("output", "answer")):
            said = object_or_empty(moderated.get(name))
            for result in objects(said.get("results", [said])):
                found += _moderated(result, on)
    return found


def _moderated(result: dict[str, Any], on: Any) -> Iterator[FilterResult]:
    """What a moderation saw, which stops nothing."""
    scores = object_or_empty(result.get("category_scores"))
    categories = object_or_empty(result.get("categories"))
    for category in categories:
        detected, score = _flag(categories, category), any_number(scores, category)
        yield FilterResult(str(category), on, detected=detected, score=score)


def audio_of(raw: Any, format: Any) -> list[Audio]:
    """The sound of a message, or a piece of it."""
    if not isinstance(raw, dict):
        return []
    sound = Audio(
        _bytes(raw.get("data")),
        text_or_none(format),
        str(raw.get("transcript") or ""),
        text_or_none(raw.get("id")),
        any_number(raw, "expires_at"),
    )
    return [sound] if sound.data or sound.transcript or sound.id or sound.expires_at else []


def _bytes(data: Any) -> bytes:
    from base64 import b64decode

    try:
        return b64decode(data) if isinstance(data, str) else b""
    except ValueError:
        return b""


def _flag(said: dict[str, Any], name: str) -> bool | None:
    """The field where it is true or false."""
    value = said.get(name)
    return value if isinstance(value, bool) else None
