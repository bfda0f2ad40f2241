"""One answer of each provider that tells all that it can beside text: whole, streamed, and as hb has it.

`docs/reference/answers.md` takes its table of providers from here, so that each cross in it is proved.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heavenbase.details import Details, RateLimit, RateLimits
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


# Cohere

_DOCUMENT = {"id": "doc-0", "title": "A", "url": "https://a.example", "text": "quote"}
_COHERE_SOURCES = [
    {
        "start": 0,
        "end": 5,
        "text": "Ärger",
        "sources": [{"type": "document", "id": "doc-0", "document": _DOCUMENT}],
        "content_index": 1,
        "type": "TEXT_CONTENT",
    },
    {
        "start": 6,
        "end": 8,
        "text": "日本",
        "sources": [{"type": "tool", "id": "call-1:0", "tool_output": {"content": "result"}}],
        "content_index": 1,
    },
    {
        "start": 0,
        "end": 2,
        "text": "hm",
        "sources": [{"type": "tool", "id": "call-1:0", "tool_output": {"content": "result"}}],
        "content_index": 0,
        "type": "THINKING_CONTENT",
    },
]
_COHERE_END = {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 3, "output_tokens": 2}}}


def _cohere(kind: str, place: int | None, more: Any = None, **message: Any) -> dict[str, Any]:
    at = {} if place is None else {"index": place}
    return {"type": kind, **at, "delta": {"message": message}, **(more or {})}


_COHERE: dict[str, Any] = {
    "answer": {
        "id": "c-1",
        "message": {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Ärger 日本"}],
            "citations": _COHERE_SOURCES,
        },
        **_COHERE_END,
        "logprobs": [
            {"text": "Ärger ", "token_ids": [1, 2], "logprobs": [-0.5, -1]},
            {"text": "日本", "token_ids": [3], "logprobs": [-2.0]},
        ],
    },
    "events": [
        {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}},
        _cohere("content-start", 0, content={"type": "thinking", "thinking": ""}),
        _cohere("content-delta", 0, content={"thinking": "hm"}),
        {"type": "content-end", "index": 0},
        _cohere("content-start", 1, content={"type": "text", "text": ""}),
        _cohere(
            "content-delta",
            1,
            {"logprobs": {"text": "Ärger ", "token_ids": [1, 2], "logprobs": [-0.5, -1]}},
            content={"text": "Ärger "},
        ),
        _cohere("citation-start", 0, citations=_COHERE_SOURCES[0]),
        {"type": "citation-end", "index": 0},
        _cohere(
            "content-delta",
            1,
            {"logprobs": {"text": "日本", "token_ids": [3], "logprobs": [-2.0]}},
            content={"text": "日本"},
        ),
        {"type": "content-end", "index": 1},
        _cohere("citation-start", 1, citations=_COHERE_SOURCES[1]),
        _cohere("citation-start", 2, citations=_COHERE_SOURCES[2]),
        {"type": "message-end", "delta": _COHERE_END},
    ],
    "expected": Details(
        citations=[
            Citation(0, 5, kind="document", id="doc-0", title="A", url="https://a.example", quote="quote"),
            Citation(6, 8, kind="tool", id="call-1:0", quote="result"),
            Citation(kind="tool", id="call-1:0", quote="result"),
        ],
        logprobs=[
            TokenLogprob("Ärger ", -0.5, id=1),
            TokenLogprob("", -1.0, id=2),
            TokenLogprob("日本", -2.0, id=3),
        ],
    ),
    "headers": {
        "x-trial-endpoint-call-limit": "40",
        "x-trial-endpoint-call-remaining": "7",
        "x-endpoint-monthly-call-limit": "1000",
    },
    "limits": RateLimits(RateLimit(40, 7), others={"requests_month": RateLimit(1000)}),
}


# The chat wire of OpenAI

_LIKELY = {
    "content": [
        {"token": "Ärger", "logprob": -0.5, "bytes": [195, 132], "top_logprobs": [{"token": "A", "logprob": -2}]},
        {"token": " 日本", "logprob": -1, "bytes": None, "top_logprobs": []},
    ]
}
_TOKENS = [
    TokenLogprob("Ärger", -0.5, [TokenLogprob("A", -2.0)], [195, 132]),
    TokenLogprob(" 日本", -1.0),
]
_OPENAI_LIMITS = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-tokens": "6m0s",
}
_OPENAI_TOLD = RateLimits(RateLimit(60, 59, 1.0), RateLimit(150000, 149984, 360.0))
_CHAT_COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def _chat(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "c-1", "created": 1, "model": "m", "choices": list(choices), **more}


def _said(message: dict[str, Any], index: int = 0, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {"index": index, "message": {"role": "assistant", **message}, "finish_reason": finish, **more}


def _piece(delta: dict[str, Any], index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish, **more}


_OTHER = Choice(1, "other", finish_reason="length", raw_finish_reason="length")
_MISTRAL: dict[str, Any] = {
    "answer": _chat(
        _said(
            {
                "content": [
                    {"type": "text", "text": "Ärger"},
                    {"type": "reference", "reference_ids": [0, "doc-b"]},
                    {"type": "text", "text": " 日本"},
                    {"type": "tool_reference", "tool": "web_search", "title": "A", "url": "https://a.example"},
                ]
            },
            logprobs=_LIKELY,
        ),
        _said({"content": "other"}, 1, "length"),
        usage=_CHAT_COUNTS,
    ),
    "events": [
        _chat(_piece({"role": "assistant", "content": ""})),
        _chat(_piece({"content": "Är"})),
        _chat(_piece({"content": "oth"}, 1)),
        _chat(_piece({"content": [{"type": "text", "text": "ger"}]}, logprobs={"content": _LIKELY["content"][:1]})),
        _chat(_piece({"content": [{"type": "reference", "reference_ids": [0, "doc-b"]}]})),
        _chat(_piece({"content": " 日本"}, logprobs={"content": _LIKELY["content"][1:]})),
        _chat(
            _piece(
                {
                    "content": [
                        {"type": "tool_reference", "tool": "web_search", "title": "A", "url": "https://a.example"}
                    ]
                }
            )
        ),
        _chat(_piece({"content": "er"}, 1, "length")),
        _chat(_piece({"content": ""}, 0, "stop"), usage=_CHAT_COUNTS),
        "[DONE]",
    ],
    "expected": Details(
        citations=[
            Citation(0, 5, kind="document", id="0"),
            Citation(0, 5, kind="document", id="doc-b"),
            Citation(5, 8, id="web_search", title="A", url="https://a.example"),
        ],
        logprobs=_TOKENS,
        others=[_OTHER],
    ),
    "headers": {
        "x-ratelimit-limit-req-minute": "60",
        "x-ratelimit-remaining-req-minute": "59",
        "x-ratelimit-limit-tokens-minute": "150000",
        "x-ratelimit-remaining-tokens-minute": "149984",
        "x-ratelimit-tokens-query-cost": "11",
    },
    "limits": RateLimits(
        RateLimit(60, 59),
        RateLimit(150000, 149984),
        others={"requests_minute": RateLimit(60, 59), "tokens_minute": RateLimit(150000, 149984)},
    ),
    "asked": {"n": 2, "logprobs": True},
}


# Ollama


def _line(content: str, done: bool = False, **more: Any) -> dict[str, Any]:
    made = {"model": "m", "created_at": "t", "message": {"role": "assistant", "content": content}, "done": done, **more}
    return {**made, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2} if done else made


_OLLAMA: dict[str, Any] = {
    "answer": _line("Ärger 日本", True, logprobs=_LIKELY["content"]),
    "events": [
        _line("Ärger", logprobs=_LIKELY["content"][:1]),
        _line(" 日本", logprobs=_LIKELY["content"][1:]),
        _line("", True),
    ],
    "expected": Details(logprobs=_TOKENS),
    "asked": {"logprobs": True, "top_logprobs": 1},
}
TELLINGS = [
    Telling(_told("gemini", "gemini-2.5-flash"), **_GEMINI),
    Telling(_told("vertex", "gemini-2.5-flash"), **_GEMINI),
    Telling(_told("cohere", "command-a-03-2025"), **_COHERE),
    Telling(_told("mistral", "mistral-small-latest"), **_MISTRAL),
    Telling(_told("ollama", "qwen3", "application/x-ndjson"), **_OLLAMA),
]
