"""What Gemini tells beside text: sources, likelihoods, safety ratings. Pure; what is malformed is passed over.

The wire counts places in bytes of UTF-8, within one part or over all of the text; here they are characters of the
answer. Where the counts do not lead to the words that a place is said to have, the words are looked for.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from heavenbase.details import Details
from heavenbase.http import whole_or_none
from heavenbase.types import Citation, FilterResult, TokenLogprob
from heavenbase.wires import any_number, first_text, object_or_empty, objects, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Objects = list[dict[str, Any]]
METADATA = ("groundingMetadata", "citationMetadata", "urlContextMetadata")
"""Fields of a candidate that name sources."""
_TOLD = frozenset({*METADATA, "logprobsResult", "safetyRatings"})
"""Fields of one that tell anything beside its content."""


def details_of(candidate: dict[str, Any], parts: Objects) -> Details | None:
    """What a whole candidate with these parts tells."""
    if _TOLD.isdisjoint(candidate):
        return None
    found = citations_of([candidate], parts)
    return Details.known(citations=found, logprobs=logprobs_of(candidate), filters=filters_of(candidate))


# Sources


def citations_of(told: Iterable[dict[str, Any]], parts: Objects) -> list[Citation]:
    """The sources that the pieces of a candidate name: over the text where they say so, else for all of it.

    Pieces may say again what earlier ones said; `parts` are those of the whole answer.
    """
    places = _Places(parts)
    found: list[Citation] = []
    for piece in told:
        found += _grounding(object_or_empty(piece.get("groundingMetadata")), places)
        found += _quotes(object_or_empty(piece.get("citationMetadata")), places)
    known = {_name(it) for it in found if it.start is not None}
    kept = [it for it in _once(found) if it.start is not None or _name(it) not in known]
    urls = {it.url for it in kept}
    read = [
        it
        for piece in told
        for it in _read_pages(object_or_empty(piece.get("urlContextMetadata")))
        if it.url not in urls
    ]
    return kept + _once(read)


def _grounding(said: dict[str, Any], places: _Places) -> Iterator[Citation]:
    own = _list(said.get("groundingChunks"))
    # Some pieces list all sources so far, others those that are new.
    if own[: len(places.chunks)] == places.chunks:
        places.chunks = list(own)
    else:
        places.chunks += own
    supports = objects(said.get("groundingSupports"))
    numbers = {it for support in supports for it in _list(support.get("groundingChunkIndices")) if isinstance(it, int)}
    chunks = own if max(numbers, default=-1) < len(own) else places.chunks
    for support in supports:
        start, end = places.of(object_or_empty(support.get("segment")))
        for number in _list(support.get("groundingChunkIndices")):
            source = _source(chunks, number)
            if source is not None:
                source.start, source.end = start, end
                yield source
    first = len(chunks) - len(own)
    for number in range(len(own)):
        source = _source(own, number) if number + first not in numbers else None
        if source is not None:
            yield source


def _source(chunks: list[Any], number: Any) -> Citation | None:
    if whole_or_none(number) is None or not 0 <= number < len(chunks):
        return None
    chunk = object_or_empty(chunks[number])
    said = object_or_empty(chunk.get("retrievedContext"))
    if said:
        inner = object_or_empty(said.get("ragChunk"))
        pages = object_or_empty(inner.get("pageSpan"))
        first, last = (
            whole_number(pages, "firstPage", whole_number(said, "pageNumber")),
            whole_number(pages, "lastPage"),
        )
        return Citation(
            kind="document",
            id=first_text(said, "documentName", "mediaId") or first_text(inner, "fileId", "chunkId"),
            title=first_text(said, "title"),
            url=first_text(said, "uri"),
            quote=first_text(inner, "text") or first_text(said, "text"),
            source_start=first,
            source_end=last,
            unit="pages" if first is not None else None,
        )
    said = (
        object_or_empty(chunk.get("web")) or object_or_empty(chunk.get("image")) or object_or_empty(chunk.get("maps"))
    )
    if not said:
        return None
    url = first_text(said, "uri", "sourceUri")
    return Citation(
        id=first_text(said, "placeId"),
        title=first_text(said, "title", "domain"),
        url=url,
        quote=first_text(said, "text"),
    )


def _quotes(said: dict[str, Any], places: _Places) -> Iterator[Citation]:
    """Sources that the model quotes; the two servers of this wire call them differently."""
    for item in objects(said.get("citations") or said.get("citationSources")):
        start, end = places.of(item)
        yield Citation(start, end, title=first_text(item, "title"), url=first_text(item, "uri"))


def _read_pages(said: dict[str, Any]) -> Iterator[Citation]:
    for item in objects(said.get("urlMetadata")):
        url = first_text(item, "retrievedUrl")
        if url and str(item.get("urlRetrievalStatus", "")).endswith("SUCCESS"):
            yield Citation(url=url)


def _name(source: Citation) -> tuple[str | None, ...]:
    return source.url, source.id, source.title, source.quote


def _once(found: list[Citation]) -> list[Citation]:
    kept = {tuple(it.to_dict().items()): it for it in found}
    return list(kept.values())


class _Places:
    """Places of the wire in the text of an answer; `chunks` are the sources that the last piece listed."""

    def __init__(self, parts: Objects) -> None:
        said = [str(part.get("text") or "") if not part.get("thought") else "" for part in parts]
        self.chunks: list[Any] = []
        self._text = "".join(said)
        self._all = _Bytes(self._text)
        self._parts = said
        self._begins = list(accumulate(map(len, said), initial=0))
        self._counted: dict[int, _Bytes] = {}
        self._sought = 0
        """From here on words are looked for; -1 after some were not found."""

    def of(self, said: dict[str, Any]) -> tuple[int | None, int | None]:
        """(start, end) of a segment; (None, None) where it has no place."""
        first, last, words = (
            whole_number(said, "startIndex", 0),
            whole_number(said, "endIndex"),
            first_text(said, "text"),
        )
        if last is None:
            return self._seek(words)
        part = whole_number(said, "partIndex", 0) or 0
        if 0 <= part < len(self._parts) and self._parts[part]:
            if part not in self._counted:
                self._counted[part] = _Bytes(self._parts[part])
            found = self._counted[part].span(first or 0, last, words)
            if found is not None:
                return found[0] + self._begins[part], found[1] + self._begins[part]
        return self._all.span(first or 0, last, words) or self._seek(words)

    def _seek(self, words: str | None) -> tuple[int | None, int | None]:
        if words is None or self._sought < 0:
            return None, None
        start = self._text.find(words, self._sought)
        self._sought = start  # supports come in order, so that the text is gone through once
        return (start, start + len(words)) if start >= 0 else (None, None)


class _Bytes:
    """A text whose places are counted in bytes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] | None = None
        if not text.isascii():
            self._starts = list(accumulate(map(len, map(str.encode, text)), initial=0))
        self._length = self._starts[-1] if self._starts is not None else len(text)

    def span(self, first: int, last: int, words: str | None) -> tuple[int, int] | None:
        """The characters between two bytes; None where they are not there, or are other words than these."""
        if not 0 <= first <= last <= self._length:
            return None
        start, end = (n if self._starts is None else bisect_left(self._starts, n) for n in (first, last))
        return (start, end) if words is None or self._text[start:end] == words else None


# Likelihoods and ratings


def logprobs_of(candidate: dict[str, Any]) -> list[TokenLogprob]:
    """The tokens of a candidate, or of a piece of one."""
    said = object_or_empty(candidate.get("logprobsResult"))
    likely = _list(said.get("topCandidates"))
    found = []
    for place, item in enumerate(objects(said.get("chosenCandidates"))):
        token = _token(item)
        others = object_or_empty(likely[place]).get("candidates") if place < len(likely) else None
        token.top = [_token(other) for other in objects(others)]
        found.append(token)
    return found


def _token(item: dict[str, Any]) -> TokenLogprob:
    return TokenLogprob(
        str(item.get("token", "")), any_number(item, "logProbability"), id=whole_number(item, "tokenId")
    )


def filters_of(said: Any, on: Any = "answer") -> list[FilterResult]:
    """The rating for each category, of a candidate or of what was said to the prompt."""
    return [
        FilterResult(
            str(item.get("category") or ""),
            on,
            item.get("blocked") is True,
            severity=first_text(item, "probability", "severity"),
            score=any_number(item, "probabilityScore" if "probability" in item else "severityScore"),
        )
        for item in objects(object_or_empty(said).get("safetyRatings"))
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
