"""Good answers of each wire with all that its readers look for, beside what the loopback server says; and recordings."""

# One event or block in a line, as providers write them down.
# ruff: noqa: E501

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from hb_testing.server import event_frames
from hb_testing.server.synthesis import png

FOLDER = os.environ.get("HB_CASSETTES")
PICTURE = base64.b64encode(png("fuzz")).decode()
LOGPROBS = [{"token": "so", "logprob": -0.5, "bytes": [115, 111], "top_logprobs": [{"token": "so", "logprob": -0.5}]}]
SEVERITY = {"hate": {"filtered": False, "severity": "safe"}, "jailbreak": {"filtered": False, "detected": False}}
CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.example/", "title": "A", "start_index": 0, "end_index": 2},
}
THOUGHT = {
    "type": "reasoning.text",
    "text": "hm",
    "signature": "c2ln",
    "id": "r1",
    "format": "anthropic-claude-v1",
    "index": 0,
}
CALL = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Ulm"}'}}

CHAT: list[Any] = [
    {
        "id": "1",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": "so",
                    "refusal": None,
                    "reasoning_content": "hm",
                    "reasoning_details": [THOUGHT],
                    "annotations": [CITED, {"type": "file_citation", "file_id": "f", "index": 1}],
                    "audio": {"id": "a", "data": "AAAA", "transcript": "so", "expires_at": 1700000000},
                    "images": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}],
                    "context": {"citations": [{"content": "q", "title": "t", "url": "https://b.example", "chunk_id": "0"}]},
                },
                "logprobs": {"content": LOGPROBS, "refusal": None},
                "content_filter_results": SEVERITY,
            }
        ],
        "citations": ["https://a.example/"],
        "search_results": [{"title": "A", "url": "https://a.example/", "snippet": "q"}],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SEVERITY}],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0, "image_tokens": 0},
            "cost": 0.001,
            "prompt_cache_hit_tokens": 4,
        },
        "x_groq": {"id": "r", "usage": {"prompt_tokens": 1}},
    },
    {
        "choices": [
            {"index": 0, "finish_reason": "tool_calls", "message": {"content": [{"type": "text", "text": "so"}, {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}], "tool_calls": [CALL, {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select"}}]}},
            {"index": 1, "finish_reason": "stop", "message": {"content": "else"}, "logprobs": {"tokens": ["a"], "token_logprobs": [-1], "top_logprobs": [{"a": -1}]}},
            {"index": 2, "finish_reason": "length", "message": {"content": None, "refusal": "no", "function_call": {"name": "f", "arguments": "{}"}}},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 2},
    },
]  # fmt: skip
CHAT_EVENTS: list[list[Any]] = [
    [
        {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "prompt_filter_results": [{"content_filter_results": SEVERITY}]},
        {"choices": [{"index": 0, "delta": {"reasoning_content": "hm", "reasoning_details": [THOUGHT]}}]},
        {"choices": [{"index": 0, "delta": {"content": "so", "annotations": [CITED], "images": CHAT[0]["choices"][0]["message"]["images"]}, "logprobs": {"content": LOGPROBS}, "content_filter_results": SEVERITY}]},
        {"choices": [{"index": 0, "delta": {"audio": {"id": "a", "data": "AAAA", "transcript": "so"}}}], "usage": {"prompt_tokens": 9}},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Ulm"}'}}]}}, {"index": 1, "delta": {"content": "else", "refusal": "no", "function_call": {"name": "f", "arguments": "{}"}}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}], "citations": ["https://a.example/"], "x_groq": {"usage": {"prompt_tokens": 9}}},
        {"choices": [], "usage": CHAT[0]["usage"]},
    ],
]  # fmt: skip

ITEMS: list[Any] = [
    {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}], "content": [{"type": "reasoning_text", "text": "hm"}], "encrypted_content": "x"},
    {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "so", "annotations": [{"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}], "logprobs": LOGPROBS}, {"type": "refusal", "refusal": "no"}]},
    {"type": "function_call", "id": "fc", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Ulm"}', "status": "completed"},
    {"type": "custom_tool_call", "id": "ct", "call_id": "c2", "name": "sql", "input": "select"},
    {"type": "image_generation_call", "id": "ig", "result": PICTURE},
]  # fmt: skip
RESPONSE: dict[str, Any] = {
    "id": "resp", "object": "response", "model": "m", "status": "completed", "output": ITEMS, "error": None,
    "incomplete_details": None,
    "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 14},
}  # fmt: skip
RESPONSE_EVENTS: list[list[Any]] = [
    [
        {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**ITEMS[0], "summary": []}},
        {"type": "response.reasoning_summary_text.delta", "item_id": "rs", "output_index": 0, "summary_index": 0, "delta": "hm"},
        {"type": "response.output_item.done", "output_index": 0, "item": ITEMS[0]},
        {"type": "response.output_item.added", "output_index": 1, "item": {**ITEMS[2], "content": []}},
        {"type": "response.output_text.delta", "item_id": "m", "output_index": 1, "content_index": 0, "delta": "so", "logprobs": LOGPROBS},
        {"type": "response.output_text.annotation.added", "item_id": "m", "output_index": 1, "content_index": 0, "annotation_index": 0, "annotation": {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}},
        {"type": "response.refusal.delta", "item_id": "m", "output_index": 1, "content_index": 1, "delta": "no"},
        {"type": "response.output_item.done", "output_index": 1, "item": ITEMS[2]},
        {"type": "response.output_item.added", "output_index": 2, "item": {**ITEMS[3], "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc", "output_index": 2, "delta": '{"city": "Ulm"}'},
        {"type": "response.function_call_arguments.done", "item_id": "fc", "output_index": 2, "arguments": '{"city": "Ulm"}'},
        {"type": "response.output_item.done", "output_index": 2, "item": ITEMS[3]},
        {"type": "response.output_item.added", "output_index": 3, "item": {**ITEMS[4], "input": ""}},
        {"type": "response.custom_tool_call_input.delta", "item_id": "ct", "output_index": 3, "delta": "select"},
        {"type": "response.output_item.done", "output_index": 3, "item": ITEMS[4]},
        {"type": "response.output_item.done", "output_index": 4, "item": ITEMS[5]},
        {"type": "response.completed", "response": RESPONSE},
    ],
    [{"type": "response.failed", "response": {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "no"}}}],
    [{"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None}],
]  # fmt: skip

BLOCKS: list[Any] = [
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "text", "text": "so", "citations": [{"type": "char_location", "cited_text": "q", "document_index": 0, "document_title": "t", "start_char_index": 0, "end_char_index": 2, "file_id": "f"}, {"type": "web_search_result_location", "url": "https://a.example", "title": "A", "encrypted_index": "e", "cited_text": "q"}]},
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "title": "A", "url": "https://a.example", "encrypted_content": "e"}]},
    {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Ulm"}},
]  # fmt: skip
COUNTS = {"input_tokens": 9, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 4, "output_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 1}, "server_tool_use": {"web_search_requests": 1}}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": "msg", "type": "message", "role": "assistant", "model": "m", "content": BLOCKS, "stop_reason": "tool_use",
    "stop_sequence": None, "usage": COUNTS,
}  # fmt: skip
MESSAGE_EVENTS: list[list[Any]] = [
    [
        {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": BLOCKS[1]},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "so"}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": BLOCKS[2]["citations"][0]}},
        {"type": "content_block_stop", "index": 2},
        {"type": "content_block_start", "index": 3, "content_block": {**BLOCKS[3], "input": {}}},
        {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": '{"query": "q"}'}},
        {"type": "content_block_stop", "index": 3},
        {"type": "content_block_start", "index": 4, "content_block": BLOCKS[4]},
        {"type": "content_block_stop", "index": 4},
        {"type": "content_block_start", "index": 5, "content_block": {**BLOCKS[5], "input": {}}},
        {"type": "content_block_delta", "index": 5, "delta": {"type": "input_json_delta", "partial_json": '{"city": "Ulm"}'}},
        {"type": "content_block_stop", "index": 5},
        {"type": "ping"},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": COUNTS},
        {"type": "message_stop"},
    ],
]  # fmt: skip

CANDIDATE: dict[str, Any] = {
    "index": 0,
    "finishReason": "STOP",
    "finishMessage": "ok",
    "content": {
        "role": "model",
        "parts": [
            {"text": "hm", "thought": True, "thoughtSignature": "c2ln"},
            {"text": "so"},
            {"functionCall": {"name": "get_weather", "args": {"city": "Ulm"}, "id": "c1"}, "thoughtSignature": "c2ln"},
            {"inlineData": {"mimeType": "image/png", "data": PICTURE}},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        ],
    },
    "safetyRatings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "NEGLIGIBLE", "blocked": False, "probabilityScore": 0.1}],
    "citationMetadata": {"citationSources": [{"startIndex": 0, "endIndex": 1, "uri": "https://a.example", "license": ""}]},
    "groundingMetadata": {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 2, "text": "so"}, "groundingChunkIndices": [0], "confidenceScores": [0.5]}],
        "webSearchQueries": ["q"],
    },
    "logprobsResult": {"chosenCandidates": [{"token": "so", "logProbability": -0.5, "tokenId": 1}], "topCandidates": [{"candidates": [{"token": "so", "logProbability": -0.5}]}]},
    "avgLogprobs": -0.5,
}  # fmt: skip
CONTENT: dict[str, Any] = {
    "candidates": [CANDIDATE], "modelVersion": "m", "responseId": "r", "promptFeedback": {"safetyRatings": []},
    "usageMetadata": {"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 16, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}], "toolUsePromptTokenCount": 1},
}  # fmt: skip

CONVERSE: dict[str, Any] = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "eA=="}},
                {"text": "so"},
                {"citationsContent": {"content": [{"text": "so"}], "citations": [{"title": "t", "source": "https://a.example", "sourceContent": [{"text": "q"}], "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 2}}}]}},
                {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Ulm"}}},
                {"image": {"format": "png", "source": {"bytes": PICTURE}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {"inputTokens": 9, "outputTokens": 5, "totalTokens": 14, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 1},
    "metrics": {"latencyMs": 1},
    "trace": {"guardrail": {"inputAssessment": {"g": {"contentPolicy": {"filters": [{"type": "HATE", "confidence": "LOW", "action": "NONE", "detected": False}]}}}, "outputAssessments": {"g": [{"contextualGroundingPolicy": {"filters": [{"type": "GROUNDING", "score": 0.5, "action": "NONE"}]}}]}}},
}  # fmt: skip
FRAMES: list[list[tuple[str, Any]]] = [
    [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"reasoningContent": {"redactedContent": "eA=="}}}),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"text": "so"}}),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"citation": {"title": "t", "sourceContent": [{"text": "q"}], "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}}}}),
        ("contentBlockStop", {"contentBlockIndex": 2}),
        ("contentBlockStart", {"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "t1", "name": "get_weather"}}}),
        ("contentBlockDelta", {"contentBlockIndex": 3, "delta": {"toolUse": {"input": '{"city": "Ulm"}'}}}),
        ("contentBlockStop", {"contentBlockIndex": 3}),
        ("contentBlockStart", {"contentBlockIndex": 4, "start": {"image": {"format": "png"}}}),
        ("contentBlockDelta", {"contentBlockIndex": 4, "delta": {"image": {"source": {"bytes": PICTURE}}}}),
        ("contentBlockStop", {"contentBlockIndex": 4}),
        ("messageStop", {"stopReason": "tool_use", "additionalModelResponseFields": {"a": 1}}),
        ("metadata", {"usage": CONVERSE["usage"], "metrics": {"latencyMs": 1}, "trace": CONVERSE["trace"]}),
    ],
]  # fmt: skip

COHERE: dict[str, Any] = {
    "id": "1",
    "finish_reason": "TOOL_CALL",
    "message": {
        "role": "assistant",
        "tool_plan": "plan",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}],
        "tool_calls": [CALL],
        "citations": [{"start": 0, "end": 2, "text": "so", "type": "TEXT_CONTENT", "content_index": 1, "sources": [{"type": "document", "id": "d", "document": {"id": "d", "title": "t", "snippet": "q"}}, {"type": "tool", "id": "t", "tool_output": {"a": 1}}]}],
    },
    "logprobs": [{"token_ids": [1], "text": "so", "logprobs": [-0.5]}],
    "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 5}, "tokens": {"input_tokens": 9, "output_tokens": 5}, "cached_tokens": 4},
}  # fmt: skip
COHERE_EVENTS: list[list[Any]] = [
    [
        {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}},
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "plan"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "thinking", "thinking": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"thinking": "hm"}}}},
        {"type": "content-end", "index": 0},
        {"type": "content-start", "index": 1, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "so"}}}, "logprobs": {"token_ids": [1], "text": "so", "logprobs": [-0.5]}},
        {"type": "citation-start", "index": 0, "delta": {"message": {"citations": COHERE["message"]["citations"][0]}}},
        {"type": "citation-end", "index": 0},
        {"type": "content-end", "index": 1},
        {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": {**CALL, "function": {"name": "get_weather", "arguments": ""}}}}},
        {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": {"arguments": '{"city": "Ulm"}'}}}}},
        {"type": "tool-call-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": COHERE["usage"], "error": None}},
    ],
]  # fmt: skip
MISTRAL: dict[str, Any] = {
    "id": "1",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "prefix": False,
                "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": True}, {"type": "text", "text": "so"}, {"type": "reference", "reference_ids": [1, "a"]}],
                "tool_calls": [{**CALL, "index": 0}],
            },
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "prompt_audio_seconds": None, "num_cached_tokens": 4},
}  # fmt: skip
OLLAMA: dict[str, Any] = {
    "model": "m",
    "created_at": "2026-01-01T00:00:00Z",
    "message": {"role": "assistant", "content": "so", "thinking": "hm", "tool_calls": [{"id": "c1", "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Ulm"}}}]},
    "logprobs": [{"token": "so", "logprob": -0.5, "bytes": [115], "top_logprobs": [{"token": "so", "logprob": -0.5}]}],
    "done": True,
    "done_reason": "stop",
    "total_duration": 1,
    "prompt_eval_count": 9,
    "eval_count": 5,
}  # fmt: skip

BODIES: dict[str, list[Any]] = {
    "openai": CHAT,
    "responses": [RESPONSE],
    "anthropic": [MESSAGE],
    "gemini": [CONTENT],
    "vertex": [CONTENT],
    "bedrock": [CONVERSE],
    "cohere": [COHERE],
    "mistral": [MISTRAL],
    "ollama": [OLLAMA],
}
STREAMS: dict[str, list[list[Any]]] = {
    "openai": CHAT_EVENTS,
    "responses": RESPONSE_EVENTS,
    "anthropic": MESSAGE_EVENTS,
    "gemini": [[{**CONTENT, "candidates": [{**CANDIDATE, "finishReason": None}]}, CONTENT]],
    "vertex": [[CONTENT]],
    "cohere": COHERE_EVENTS,
    "mistral": [[{**MISTRAL, "choices": [{**MISTRAL["choices"][0], "delta": MISTRAL["choices"][0]["message"]}]}]],
    "ollama": [[{**OLLAMA, "done": False, "done_reason": None}, OLLAMA]],
}


def built_in(wire: str, verb: str) -> Iterator[Any]:
    """Bodies as data for chats, lists of events as they are framed for streams."""
    if verb == "chat":
        yield from BODIES[wire]
    elif wire == "bedrock":
        yield from ([event_frames.event(kind, json.dumps(said).encode()) for kind, said in row] for row in FRAMES)
    else:
        yield from ([framed(wire, event) for event in row] + [b"data: [DONE]\n\n"] * (wire in ("openai", "mistral"))
                    for row in STREAMS[wire])  # fmt: skip


def framed(wire: str, event: Any) -> bytes:
    """An event as the wire sends it."""
    said = json.dumps(event, ensure_ascii=False).encode()
    if wire == "ollama":
        return said + b"\n"
    named = b"event: " + event["type"].encode() + b"\n" if wire in ("responses", "anthropic", "cohere") else b""
    return named + b"data: " + said + b"\n\n"


# Recordings

PATHS = {
    "openai": "/chat/completions",
    "responses": "/responses",
    "anthropic": "/v1/messages",
    "gemini": "enerateContent",
    "bedrock": "/converse",
    "cohere": "/v2/chat",
    "mistral": "/chat/completions",
    "ollama": "/api/chat",
}
HEADS = {"responses": ("openai", "azure"), "openai": ("openai", "openrouter", "groq", "deepseek", "azure")}


@lru_cache(maxsize=16)
def recorded(wire: str) -> list[bytes]:
    """The bodies of recorded answers of this wire, whole ones and streams; none without HB_CASSETTES."""
    return list(_recorded(wire)) if FOLDER and wire in PATHS else []


def _recorded(wire: str) -> Iterator[bytes]:
    import yaml

    # Tags that the safe loader does not know are read as plain data.
    Loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    Loader.add_multi_constructor("", lambda loader, suffix, node: loader.construct_scalar(node))
    for path in sorted(Path(str(FOLDER)).glob("*.yaml")):
        if path.stem.split("--")[0] not in HEADS.get(wire, (wire,)):
            continue
        for interaction in yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)["interactions"]:
            if PATHS[wire] in interaction["request"]["uri"]:
                yield _body(interaction["response"])


def _body(response: dict[str, Any]) -> bytes:
    if "parsed_body" in response:
        return json.dumps(response["parsed_body"]).encode()
    given = response.get("body", response.get("content", ""))
    text = given.get("string", "") if isinstance(given, dict) else given
    if isinstance(text, bytes):
        return gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text
    # An event stream that was written as base64 text begins with the zeros of its first length.
    return base64.b64decode(text) if str(text).startswith("AAA") else str(text).encode()
