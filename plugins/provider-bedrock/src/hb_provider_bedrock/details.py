"""What Converse tells beside text: citations, verdicts of guardrails. Pure; what is malformed is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.http import number_or_none, text_or_none, whole_or_none
from heavenbase.types import Audio, Citation, FilterResult
from heavenbase.wires import object_or_empty, objects

if TYPE_CHECKING:
    from collections.abc import Iterator

# By the kind of a place: what the source is, where its number stands, what the places in it are counted in.
_PLACES: dict[str, tuple[Any, str, Any]] = {
    "documentChar": ("document", "documentIndex", "characters"),
    "documentPage": ("document", "documentIndex", "pages"),
    "documentChunk": ("document", "documentIndex", "blocks"),
    "searchResultLocation": ("search_result", "searchResultIndex", "blocks"),
}
_POLICIES = {
    "topicPolicy": ("topics",),
    "contentPolicy": ("filters",),
    "wordPolicy": ("customWords", "managedWordLists"),
    "sensitiveInformationPolicy": ("piiEntities", "regexes"),
    "contextualGroundingPolicy": ("filters",),
}


def citations_of(block: dict[str, Any], start: int, end: int) -> list[Citation]:
    """The citations of a block, whose text stands from `start` to `end` in the answer's."""
    cited = block.get("citationsContent")
    found = cited.get("citations") if isinstance(cited, dict) else None
    return [_citation(item, start, end) for item in objects(found)]


def _citation(raw: dict[str, Any], start: int, end: int) -> Citation:
    location = object_or_empty(raw.get("location"))
    source = text_or_none(raw.get("source"))
    quoted = "".join(str(part.get("text") or "") for part in objects(raw.get("sourceContent")))
    found = Citation(start, end, id=source, title=text_or_none(raw.get("title")), quote=quoted or None)
    for name, (kind, number, unit) in _PLACES.items():
        place = object_or_empty(location.get(name))
        if place:
            found.kind, found.unit = kind, unit
            found.document, found.source_start, found.source_end = (
                whole_or_none(place.get(key)) for key in (number, "start", "end")
            )
    found.url = text_or_none(object_or_empty(location.get("web")).get("url"))
    if found.url is None and source is not None and source.startswith(("https://", "http://")):
        found.url = source
    return found


def audio_of(block: Any) -> list[Audio]:
    """The sound in a block."""
    from base64 import b64decode

    data = object_or_empty(object_or_empty(block).get("source")).get("bytes")
    try:
        sound = b64decode(data) if isinstance(data, str) else b""
    except ValueError:
        return []
    return [Audio(sound, text_or_none(block.get("format")))] if sound else []


def filters_of(trace: Any) -> list[FilterResult]:
    """What the guardrails of an answer's `trace` found."""
    guardrail = object_or_empty(object_or_empty(trace).get("guardrail"))
    found = []
    for assessment in object_or_empty(guardrail.get("inputAssessment")).values():
        found += list(_verdicts(object_or_empty(assessment), "prompt"))
    for assessments in object_or_empty(guardrail.get("outputAssessments")).values():
        for assessment in objects(assessments):
            found += list(_verdicts(assessment, "answer"))
    return found


def _verdicts(assessment: dict[str, Any], on: Any) -> Iterator[FilterResult]:
    for policy, lists in _POLICIES.items():
        for name in lists:
            for item in objects(object_or_empty(assessment.get(policy)).get(name)):
                said = next(
                    (value for key in ("name", "type", "match") if isinstance(value := item.get(key), str)), name
                )
                detected, score = item.get("detected"), item.get("score")
                yield FilterResult(
                    str(said or name),
                    on,
                    item.get("action") in ("BLOCKED", "ANONYMIZED"),
                    detected if isinstance(detected, bool) else None,
                    text_or_none(item.get("confidence")),
                    number_or_none(score),
                )
