"""One answer of each provider that tells all that it can beside text: whole, streamed, and as hb has it.

`docs/reference/answers.md` takes its table of providers from here, so that each cross in it is proved.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heavenbase.details import Details, RateLimits
from heavenbase.types import Audio, Choice, Citation, FilterResult, TokenLogprob
from tests.told import Told

Headers = Mapping[str, str]


@dataclass(eq=False)
class Telling:
    """What a provider answers, and what of it hb tells: `expected` but for limits, which `headers` bring."""

    told: Told
    answer: dict[str, Any]
    events: Sequence[Any]
    expected: Details
    headers: Headers = field(default_factory=dict)
    limits: RateLimits | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def provider(self) -> str:
        return self.told.provider or self.told.name

    @property
    def fields(self) -> set[str]:
        """The typed fields that this answer fills."""
        found = {"choices" if name == "others" else name for name in self.expected.to_dict()}
        return found | ({"rate_limits"} if self.limits is not None else set())


def _told(name: str, model: str, content_type: str = "text/event-stream", **more: Any) -> Told:
    return Told(name, model, {}, {}, (), (), content_type, **more)


SOUND = b"\x00\x01\x02\x03"


# Gemini and Vertex AI


def _gemini(content: Any, index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    parts = [content] if isinstance(content, dict) else content
    return {
        **({"content": {"role": "model", "parts": parts}} if parts is not None else {}),
        **({"index": index} if index else {}),
        **({"finishReason": finish} if finish else {}),
        **more,
    }


_GROUNDING = {
    "webSearchQueries": ["q"],
    "groundingChunks": [
        {"web": {"uri": "https://a.example/1", "title": "a.example"}},
        {
            "retrievedContext": {
                "uri": "gs://b/2.pdf",
                "title": "B",
                "text": "quote",
                "ragChunk": {"text": "quote", "fileId": "f-2", "pageSpan": {"firstPage": 3, "lastPage": 4}},
            }
        },
        {"maps": {"uri": "https://maps.example/3", "title": "C", "placeId": "places/3"}},
    ],
    "groundingSupports": [
        {"segment": {"endIndex": 6, "text": "Ärger"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 7, "endIndex": 13, "text": "日本"}, "groundingChunkIndices": [0, 1]},
    ],
}
_CITED = {"citationSources": [{"startIndex": 7, "endIndex": 13, "uri": "https://d.example/4", "license": "mit"}]}
_PAGES = {
    "urlMetadata": [
        {"retrievedUrl": "https://e.example/5", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
        {"retrievedUrl": "https://f.example/6", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_ERROR"},
    ]
}
_METADATA = {"groundingMetadata": _GROUNDING, "citationMetadata": _CITED, "urlContextMetadata": _PAGES}
_RATINGS = [
    {"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "NEGLIGIBLE", "probabilityScore": 0.1},
    {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True},
]


def _likely(*tokens: str) -> dict[str, Any]:
    chosen = [{"token": token, "tokenId": 7, "logProbability": -0.5} for token in tokens]
    top = [{"candidates": [{"token": token, "tokenId": 7, "logProbability": -0.5}]} for token in tokens]
    return {"logprobsResult": {"chosenCandidates": chosen, "topCandidates": top}}


_SPOKEN = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": b64encode(SOUND).decode()}}
_HALVES = [
    {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": b64encode(half).decode()}}
    for half in (SOUND[:2], SOUND[2:])
]
_PROMPT = {"promptFeedback": {"safetyRatings": _RATINGS[:1]}}
_COUNTS = {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}}
_GEMINI: dict[str, Any] = {
    "answer": {
        "candidates": [
            _gemini(
                [{"text": "Ärger 日本"}, _SPOKEN],
                finish="STOP",
                safetyRatings=_RATINGS,
                **_METADATA,
                **_likely("Ärger", " 日本"),
            ),
            _gemini({"text": "other"}, 1, "MAX_TOKENS", **_likely("other")),
        ],
        **_PROMPT,
        **_COUNTS,
    },
    "events": [
        {"candidates": [_gemini({"text": "Är"}, groundingMetadata={})], **_PROMPT},
        {"candidates": [_gemini({"text": "oth"}, 1)]},
        {"candidates": [_gemini({"text": "ger 日"}, safetyRatings=_RATINGS[:1], **_likely("Ärger"))]},
        {"candidates": [_gemini([{"text": "本"}, _HALVES[0]], **_METADATA, **_likely(" 日本"))]},
        {"candidates": [_gemini({"text": "er"}, 1, "MAX_TOKENS", **_likely("other"))]},
        {"candidates": [_gemini(_HALVES[1], finish="STOP", safetyRatings=_RATINGS, **_METADATA)], **_COUNTS},
    ],
    "expected": Details(
        citations=[
            Citation(0, 5, title="a.example", url="https://a.example/1"),
            Citation(6, 8, title="a.example", url="https://a.example/1"),
            Citation(
                6,
                8,
                kind="document",
                id="f-2",
                title="B",
                url="gs://b/2.pdf",
                quote="quote",
                source_start=3,
                source_end=4,
                unit="pages",
            ),
            Citation(id="places/3", title="C", url="https://maps.example/3"),
            Citation(6, 8, url="https://d.example/4"),
            Citation(url="https://e.example/5"),
        ],
        logprobs=[
            TokenLogprob("Ärger", -0.5, [TokenLogprob("Ärger", -0.5, id=7)], id=7),
            TokenLogprob(" 日本", -0.5, [TokenLogprob(" 日本", -0.5, id=7)], id=7),
        ],
        filters=[
            FilterResult("HARM_CATEGORY_HATE_SPEECH", "prompt", False, severity="NEGLIGIBLE", score=0.1),
            FilterResult("HARM_CATEGORY_HATE_SPEECH", "answer", False, severity="NEGLIGIBLE", score=0.1),
            FilterResult("HARM_CATEGORY_HARASSMENT", "answer", True, severity="HIGH"),
        ],
        audio=[Audio(SOUND, "audio/L16;codec=pcm;rate=24000")],
        others=[
            Choice(
                1,
                "other",
                finish_reason="length",
                raw_finish_reason="MAX_TOKENS",
                details=Details(logprobs=[TokenLogprob("other", -0.5, [TokenLogprob("other", -0.5, id=7)], id=7)]),
            )
        ],
    ),
    "asked": {"n": 2},
}
TELLINGS = [
    Telling(_told("gemini", "gemini-2.5-flash"), **_GEMINI),
    Telling(_told("vertex", "gemini-2.5-flash"), **_GEMINI),
]
