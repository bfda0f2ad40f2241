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


# OpenAI's chat wire, as OpenAI, Azure and others speak it

_ANNOTATION = {
    "type": "url_citation",
    "url_citation": {"start_index": 0, "end_index": 5, "url": "https://a.example", "title": "A", "content": "quote"},
}
_CITED_BY = Citation(0, 5, title="A", url="https://a.example", quote="quote")
_VERDICT = {"hate": {"filtered": False, "severity": "safe"}, "jailbreak": {"filtered": True, "detected": True}}
_VERDICTS = [
    FilterResult("hate", "prompt", False, severity="safe"),
    FilterResult("jailbreak", "prompt", True, True),
    FilterResult("hate", "answer", False, severity="safe"),
]
_PROMPT_VERDICT = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _VERDICT}]}
_SOUND = {"id": "audio-1", "expires_at": 9, "data": b64encode(SOUND).decode(), "transcript": "Ärger 日本"}
_MODERATION = {
    "moderation": {
        "input": {"type": "moderation_results", "model": "m", "results": [
            {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}]},
        "output": {"type": "moderation_results", "model": "m", "results": [
            {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.1}}]},
    }
}  # fmt: skip
_MODERATED = [
    FilterResult("violence", "prompt", detected=True, score=0.9),
    FilterResult("hate", "answer", detected=False, score=0.1),
]


def _halves(*more: dict[str, Any]) -> list[Any]:
    return [
        _chat(_piece({"role": "assistant", "content": "Ärger"}, logprobs={"content": _LIKELY["content"][:1]})),
        _chat(_piece({"content": "oth"}, 1)),
        _chat(_piece({"content": " 日本"}, logprobs={"content": _LIKELY["content"][1:]})),
        *more,
        _chat(_piece({"content": "er"}, 1, "length")),
        _chat(_piece({}, 0, "stop")),
        _chat(usage=_CHAT_COUNTS),
        "[DONE]",
    ]


_OPENAI: dict[str, Any] = {
    "answer": _chat(
        _said({"content": None, "annotations": [_ANNOTATION], "audio": _SOUND}, logprobs=_LIKELY),
        _said({"content": "other"}, 1, "length"),
        usage=_CHAT_COUNTS,
        **_MODERATION,
    ),
    "events": [
        _chat(_piece({"role": "assistant", "audio": {"id": "audio-1", "transcript": "Ärger"}})),
        _chat(_piece({"content": "oth"}, 1)),
        _chat(_piece({"audio": {"data": b64encode(SOUND[:2]).decode()}}, logprobs=_LIKELY)),
        _chat(_piece({"audio": {"data": b64encode(SOUND[2:]).decode(), "transcript": " 日本"}})),
        _chat(_piece({"audio": {"expires_at": 9}, "annotations": [_ANNOTATION]})),
        _chat(_piece({"content": "er"}, 1, "length")),
        _chat(_piece({}, 0, "stop")),
        _chat(usage=_CHAT_COUNTS, **_MODERATION),
        "[DONE]",
    ],
    "expected": Details(
        citations=[_CITED_BY],
        logprobs=_TOKENS,
        filters=_MODERATED,
        audio=[Audio(SOUND, "wav", "Ärger 日本", "audio-1", 9.0)],
        others=[_OTHER],
    ),
    "headers": _OPENAI_LIMITS,
    "limits": _OPENAI_TOLD,
    "asked": {"n": 2, "logprobs": True, "audio": {"voice": "alloy", "format": "wav"}},
}
_OWN_DATA = {"context": {"citations": [{"content": "quote", "title": "B", "filepath": "b.pdf", "url": None}]}}
_OWN = Citation(kind="document", document=0, title="B", quote="quote")
_AZURE: dict[str, Any] = {
    "answer": _chat(
        _said(
            {"content": "Ärger 日本", **_OWN_DATA}, logprobs=_LIKELY, content_filter_results={"hate": _VERDICT["hate"]}
        ),
        _said({"content": "other"}, 1, "length"),
        usage=_CHAT_COUNTS,
        **_PROMPT_VERDICT,
    ),
    "events": [
        {"id": "", "model": "", "created": 0, "object": "", "choices": [], **_PROMPT_VERDICT},
        *_halves(_chat(_piece(_OWN_DATA, content_filter_results={"hate": _VERDICT["hate"]}))),
    ],
    "expected": Details(citations=[_OWN], logprobs=_TOKENS, filters=_VERDICTS, others=[_OTHER]),
    "headers": {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "3",
    },
    "limits": RateLimits(RateLimit(60, 59), RateLimit(150000, 149984, 3.0)),
    "asked": {"n": 2, "logprobs": True},
}
_OPENROUTER: dict[str, Any] = {
    "answer": _chat(
        _said({"content": "Ärger 日本", "annotations": [_ANNOTATION, {"type": "file", "file": {"hash": "h"}}]},
              logprobs=_LIKELY),
        usage=_CHAT_COUNTS,
    ),
    "events": [
        _chat(_piece({"role": "assistant", "content": "Ärger"})),
        _chat(_piece({"content": " 日本"}, logprobs=_LIKELY)),
        _chat(_piece({"content": "", "annotations": [_ANNOTATION]})),
        _chat(_piece({"content": ""}, 0, "stop")),
        _chat(_piece({"content": ""}), usage=_CHAT_COUNTS),
        "[DONE]",
    ],
    "expected": Details(citations=[_CITED_BY], logprobs=_TOKENS),
    "headers": {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1500000000000"},
    "limits": RateLimits(RateLimit(20, 0, 0.0)),
    "asked": {"logprobs": True},
}  # fmt: skip
_GROQ_CITED = {
    "type": "document_citation",
    "document_citation": {"start_index": 0, "end_index": 5, "document_id": "doc-0"},
}
_GROQ: dict[str, Any] = {
    "answer": _chat(_said({"content": "Ärger 日本", "annotations": [_GROQ_CITED]}), usage=_CHAT_COUNTS),
    "events": [
        _chat(_piece({"role": "assistant", "content": "Ärger"}), x_groq={"id": "r-1"}),
        _chat(_piece({"content": " 日本"})),
        _chat(_piece({"annotations": [_GROQ_CITED]})),
        _chat(_piece({}, 0, "stop"), x_groq={"id": "r-1", "usage": _CHAT_COUNTS}),
        "[DONE]",
    ],
    "expected": Details(citations=[Citation(0, 5, kind="document", id="doc-0")]),
    "headers": {**_OPENAI_LIMITS, "x-ratelimit-reset-requests": "2m59.56s"},
    "limits": RateLimits(RateLimit(60, 59, 179.56), RateLimit(150000, 149984, 360.0)),
}
_URLS = ["https://a.example", "https://b.example"]
_SEARCHED = {"citations": _URLS, "search_results": [{"title": "B", "url": _URLS[1], "snippet": "quote"}]}
_SOURCES = [Citation(url=_URLS[0]), Citation(title="B", url=_URLS[1], quote="quote")]
_GROK: dict[str, Any] = {
    "answer": _chat(_said({"content": "Ärger 日本"}, logprobs=_LIKELY), usage=_CHAT_COUNTS, citations=_URLS),
    "events": [
        _chat(_piece({"role": "assistant", "content": "Ärger"})),
        _chat(_piece({"content": " 日本"}, logprobs=_LIKELY)),
        _chat(_piece({}, 0, "stop"), citations=_URLS),
        _chat(usage=_CHAT_COUNTS, citations=_URLS),
        "[DONE]",
    ],
    "expected": Details(citations=[Citation(url=url) for url in _URLS], logprobs=_TOKENS),
    "headers": _OPENAI_LIMITS,
    "limits": _OPENAI_TOLD,
    "asked": {"logprobs": True},
}
_CUSTOM: dict[str, Any] = {
    "answer": _chat(_said({"content": "Ärger 日本"}), usage=_CHAT_COUNTS, **_SEARCHED),
    "events": [  # as Perplexity, in each event
        _chat(_piece({"role": "assistant", "content": "Ärger"}), citations=_URLS),
        _chat(_piece({"content": " 日本"}), citations=_URLS),
        _chat(_piece({"content": ""}, 0, "stop"), usage=_CHAT_COUNTS, **_SEARCHED),
        "[DONE]",
    ],
    "expected": Details(citations=_SOURCES),
}
_DEEPSEEK: dict[str, Any] = {
    "answer": _chat(_said({"content": "Ärger 日本"}, logprobs=_LIKELY), usage=_CHAT_COUNTS),
    "events": [
        _chat(_piece({"role": "assistant", "content": "Ärger"}, logprobs={"content": _LIKELY["content"][:1]})),
        _chat(_piece({"content": " 日本"}, logprobs={"content": _LIKELY["content"][1:]})),
        _chat(_piece({"content": ""}, 0, "stop"), usage=_CHAT_COUNTS),
        "[DONE]",
    ],
    "expected": Details(logprobs=_TOKENS),
    "asked": {"logprobs": True},
}
_VLLM: dict[str, Any] = {
    "answer": _chat(
        _said({"content": "Ärger 日本"}, logprobs=_LIKELY),
        _said({"content": "other"}, 1, "length"),
        usage=_CHAT_COUNTS,
    ),
    "events": _halves(),
    "expected": Details(logprobs=_TOKENS, others=[_OTHER]),
    "asked": {"n": 2, "logprobs": True},
}
_ZAI: dict[str, Any] = {
    "answer": _chat(_said({"content": "Ärger 日本"}), usage=_CHAT_COUNTS,
                    web_search=[{"title": "A", "link": "https://a.example", "content": "quote", "refer": "ref_1"}]),
    "events": [
        _chat(_piece({"role": "assistant", "content": "Ärger 日本"}),
              web_search=[{"title": "A", "link": "https://a.example", "content": "quote", "refer": "ref_1"}]),
        _chat(_piece({"content": ""}, 0, "stop"), usage=_CHAT_COUNTS),
        "[DONE]",
    ],
    "expected": Details(citations=[Citation(title="A", url="https://a.example", quote="quote")]),
}  # fmt: skip


# The Responses wire

_FLAT = {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://a.example", "title": "A"}
_FILE = {"type": "file_citation", "index": 8, "file_id": "file-1", "filename": "b.pdf"}


def _response(content: list[Any], **more: Any) -> dict[str, Any]:
    item = {"type": "message", "id": "m-1", "role": "assistant", "status": "completed", "content": content}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    made = {"id": "r-1", "object": "response", "model": "m", "status": "completed", "output": [item], "usage": usage}
    return {**made, **more}


_WRITTEN = {
    "type": "output_text",
    "text": "Ärger 日本",
    "annotations": [_FLAT, _FILE],
    "logprobs": _LIKELY["content"],
}
_CONTENT_FILTERS = [
    {"blocked": False, "source_type": "prompt", "content_filter_results": _VERDICT},
    {"blocked": False, "source_type": "completion", "content_filter_results": {"hate": _VERDICT["hate"]}},
]
_WHOLE = _response([_WRITTEN, {"type": "output_audio", "data": b64encode(SOUND).decode(), "transcript": ""}],
                   content_filters=_CONTENT_FILTERS)  # fmt: skip
_RESPONSES: dict[str, Any] = {
    "answer": _WHOLE,
    "events": [
        {"type": "response.created", "response": {**_response([]), "output": [], "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": _response([])["output"][0]},
        {"type": "response.output_text.delta", "output_index": 0, "item_id": "m-1", "delta": "Ärger",
         "logprobs": _LIKELY["content"][:1]},
        {"type": "response.output_text.delta", "output_index": 0, "item_id": "m-1", "delta": " 日本",
         "logprobs": _LIKELY["content"][1:]},
        {"type": "response.output_text.annotation.added", "output_index": 0, "annotation": _FLAT},
        {"type": "response.audio.delta", "delta": b64encode(SOUND[:2]).decode()},
        {"type": "response.audio.delta", "delta": b64encode(SOUND[2:]).decode()},
        {"type": "response.output_item.done", "output_index": 0, "item": _WHOLE["output"][0]},
        {"type": "response.completed", "response": _WHOLE},
    ],
    "expected": Details(
        citations=[
            Citation(0, 5, title="A", url="https://a.example"),
            Citation(8, 8, kind="file", id="file-1", title="b.pdf"),
        ],
        logprobs=_TOKENS,
        filters=_VERDICTS,
        audio=[Audio(SOUND)],
    ),
    "headers": _OPENAI_LIMITS,
    "limits": _OPENAI_TOLD,
}  # fmt: skip


# Anthropic

_CHARS = {
    "type": "char_location",
    "cited_text": "quote",
    "document_index": 1,
    "document_title": "B",
    "start_char_index": 3,
    "end_char_index": 8,
    "file_id": "file-1",
}
_WEB = {
    "type": "web_search_result_location",
    "cited_text": "quote",
    "url": "https://a.example",
    "title": "A",
    "encrypted_index": "x",
}
_REFUSED = {"type": "refusal", "category": "cyber", "explanation": "because"}
_ANTHROPIC: dict[str, Any] = {
    "answer": {
        "id": "m-1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "text", "text": "Ärger", "citations": [_WEB]},
            {"type": "text", "text": " 日本", "citations": [_CHARS]},
        ],
        "stop_reason": "refusal",
        "stop_details": _REFUSED,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    },
    "events": [
        {"type": "message_start", "message": {"id": "m-1", "model": "m", "content": [], "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": []}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": _WEB}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ärger"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": " 日本"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": _CHARS}},
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal", "stop_details": _REFUSED},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ],
    "expected": Details(
        citations=[
            Citation(0, 5, title="A", url="https://a.example", quote="quote"),
            Citation(
                5,
                8,
                kind="document",
                id="file-1",
                document=1,
                title="B",
                quote="quote",
                source_start=3,
                source_end=8,
                unit="characters",
            ),
        ],
        filters=[FilterResult("cyber", filtered=True)],
    ),
    "headers": {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2000-01-01T00:00:00Z",
        "anthropic-ratelimit-input-tokens-remaining": "7",
    },
    "limits": RateLimits(RateLimit(50, 49, 0.0), input_tokens=RateLimit(remaining=7)),
}


# Bedrock

_PAGE = {
    "title": "B",
    "source": "b.pdf",
    "sourceContent": [{"text": "quote"}],
    "location": {"documentPage": {"documentIndex": 0, "start": 3, "end": 4}},
}
_TRACE = {
    "trace": {
        "guardrail": {
            "inputAssessment": {
                "g-1": {"topicPolicy": {"topics": [{"name": "tax", "type": "DENY", "action": "BLOCKED"}]}}
            },
            "outputAssessments": {
                "g-1": [
                    {
                        "contentPolicy": {
                            "filters": [{"type": "HATE", "confidence": "LOW", "action": "NONE", "detected": True}]
                        }
                    }
                ]
            },
        }
    }
}
_BEDROCK_COUNTS = {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}
_BEDROCK: dict[str, Any] = {
    "answer": {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"text": "Ärger "},
                    {"citationsContent": {"content": [{"text": "日本"}], "citations": [_PAGE]}},
                ],
            }
        },
        "stopReason": "end_turn",
        **_BEDROCK_COUNTS,
        **_TRACE,
    },
    "events": [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Ärger "}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "日"}}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"citation": _PAGE}}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "本"}}},
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {**_BEDROCK_COUNTS, **_TRACE}},
    ],
    "expected": Details(
        citations=[
            Citation(
                6,
                8,
                kind="document",
                id="b.pdf",
                document=0,
                title="B",
                quote="quote",
                source_start=3,
                source_end=4,
                unit="pages",
            )
        ],
        filters=[
            FilterResult("tax", "prompt", True),
            FilterResult("HATE", "answer", False, True, "LOW"),
        ],
    ),
}
_CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TELLINGS = [
    Telling(_told("openai", "gpt-audio"), **_OPENAI),
    Telling(_told("responses", "gpt-5", provider="openai", options={"gateway": "responses"}), **_RESPONSES),
    Telling(_told("azure", "d"), **_AZURE),
    Telling(_told("anthropic", "claude-sonnet-4-5"), **_ANTHROPIC),
    Telling(_told("gemini", "gemini-2.5-flash"), **_GEMINI),
    Telling(_told("vertex", "gemini-2.5-flash"), **_GEMINI),
    Telling(_told("bedrock", _CLAUDE, "application/vnd.amazon.eventstream"), **_BEDROCK),
    Telling(_told("cohere", "command-a-03-2025"), **_COHERE),
    Telling(_told("mistral", "mistral-small-latest"), **_MISTRAL),
    Telling(_told("ollama", "qwen3", "application/x-ndjson"), **_OLLAMA),
    Telling(_told("openrouter", "acme/any"), **_OPENROUTER),
    Telling(_told("groq", "openai/gpt-oss-120b"), **_GROQ),
    Telling(_told("grok", "grok-4.5"), **_GROK),
    Telling(_told("deepseek", "deepseek-chat"), **_DEEPSEEK),
    Telling(_told("zai", "glm-4.7"), **_ZAI),
    Telling(_told("vllm", "m"), **_VLLM),
    Telling(_told("custom", "m", options={"base_url": "https://api.example/v1", "api_key": "k"}), **_CUSTOM),
]
