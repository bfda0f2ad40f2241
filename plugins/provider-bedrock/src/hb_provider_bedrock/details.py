"""What Converse tells beside text: citations, verdicts of guardrails. Pure; what is malformed is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.http import text_or_none
from heavenbase.types import Citation, FilterResult

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
    return [_citation(item, start, end) for item in _objects(found)]


def _citation(raw: dict[str, Any], start: int, end: int) -> Citation:
    location = _object(raw.get("location"))
    source = text_or_none(raw.get("source"))
    quoted = "".join(str(part.get("text") or "") for part in _objects(raw.get("sourceContent")))
    found = Citation(start, end, id=source, title=text_or_none(raw.get("title")), quote=quoted or None)
    for name, (kind, number, unit) in _PLACES.items():
        place = _object(location.get(name))
        if place:
            found.kind, found.unit = kind, unit
            found.document, found.source_start, found.source_end = (
                value if isinstance(value := place.get(key), int) else None for key in (number, "start", "end")
            )
    found.url = text_or_none(_object(location.get("web")).get("url"))
    if found.url is None and source is not None and source.startswith(("https://", "http://")):
        found.url = source
    return found


def filters_of(trace: Any) -> list[FilterResult]:
    """What the guardrails of an answer's `trace` found."""
    guardrail = _object(_object(trace).get("guardrail"))
    found = []
    for assessment in _object(guardrail.get("inputAssessment")).values():
        found += list(_verdicts(_object(assessment), "prompt"))
    for assessments in _object(guardrail.get("outputAssessments")).values():
        for assessment in _objects(assessments):
            found += list(_verdicts(assessment, "answer"))
    return found


def _verdicts(assessment: dict[str, Any], on: Any) -> Iterator[FilterResult]:
    for policy, lists in _POLICIES.items():
        for name in lists:
            for item in _objects(_object(assessment.get(policy)).get(name)):
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
                    float(score) if isinstance(score, int | float) else None,
                )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
