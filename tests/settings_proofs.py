"""For every key of the configuration an act in which it matters, and what is seen then and not otherwise."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from heavenbase.image import make_picture
from tests.settings_rig import Act, Seen

BASE: Mapping[str, Any] = {
    "llm.cache.enabled": False,
    "llm.retry.base_delay": 0,
    "llm.providers.acme": {
        "gateway": "openai",
        "base_url": "ORIGIN/acme/v1",
        "api_key": "sk-acme-000",
        "allow_unknown_models": True,
    },
    "llm.models.tiny": {"default_provider": "acme", "providers": {"acme": {"id": "tiny-1"}}},
    "llm.presets.house": {"model": "tiny"},
}
"""What every act begins with: a provider, a model there, and a preset for it."""
ROWS: Mapping[str, str] = {
    "presets": "house",
    "models": "tiny",
    "providers": "acme",
    "gateways": "openai",
    "prompts": "p",
    "routes": "duo",
}
"""The names of rows in keys."""


@dataclass(frozen=True)
class Proof:
    """With `value` at the key, `seen` is true of the act, and without it is not; `at` is the name of a further row.

    `hb` is what is done on the command line and `seen_by_hb` what is seen there, where that is something else; `why` is
    the reason. `site` says that it needs the plugins that the test brings, `rows` of which other row the key is.
    """

    value: Any
    seen: Callable[[Seen], Any]
    act: Act = field(default_factory=Act)
    at: str = ""
    hb: Act | None = None
    why: str = ""
    seen_by_hb: Callable[[Seen], Any] | None = None
    site: bool = False
    rows: Mapping[str, str] = field(default_factory=dict)


# What is seen


def sent(**fields: Any) -> Callable[[Seen], bool]:
    """These fields are in the body of the last request."""
    return lambda seen: seen.requests != [] and all(seen.body.get(name) == value for name, value in fields.items())


def lacks(*names: str) -> Callable[[Seen], bool]:
    """None of these fields is in the body of the last request, and there is one."""
    return lambda seen: seen.requests != [] and not any(name in seen.body for name in names)


def header(name: str, value: str) -> Callable[[Seen], bool]:
    """The last request had this header."""
    return lambda seen: seen.header(name) == value


def path(pattern: str) -> Callable[[Seen], bool]:
    """The last request was for a path like this."""
    return lambda seen: seen.requests != [] and re.search(pattern, seen.requests[-1].path) is not None


def count(number: int) -> Callable[[Seen], bool]:
    """So many requests were made."""
    return lambda seen: len(seen.requests) == number


def said(pattern: str) -> Callable[[Seen], bool]:
    """An error or a warning says this."""
    return lambda seen: re.search(pattern, seen.said) is not None


def got(pattern: str) -> Callable[[Seen], bool]:
    """The last result is like this."""
    return lambda seen: re.search(pattern, seen.result) is not None


def both(*all_of: Callable[[Seen], Any]) -> Callable[[Seen], bool]:
    """All of these."""
    return lambda seen: all(check(seen) for check in all_of)


# What is done

CHAT, STREAM, EMBED, IMAGEN, MODELS = Act(), Act("stream"), Act("embed"), Act("imagen", "a mug"), Act("models")
EXPLAIN = Act("explain")
CALLS = {"tool_calls": [{"id": "c1", "name": "twice", "arguments": {"n": 21}}]}
TOOLS = Act(tools=("twice",), replies=(CALLS, {"text": "42!"}))
BROKEN = replace(
    TOOLS, replies=({"tool_calls": [{"id": "c1", "name": "twice", "arguments": "{'n': 21,}"}]}, {"text": "ok"})
)
SLOW = Act(tools=("slow",), replies=({"tool_calls": [{"id": "c1", "name": "slow", "arguments": {}}]}, {"text": "ok"}))
MEET = Act(
    tools=("meet",),
    replies=({"tool_calls": [{"id": f"c{n}", "name": "meet", "arguments": {"name": n}} for n in "ab"]}, {"text": "ok"}),
    is_async=True,
)
FORM = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TWICE = Act(rounds=({}, {}), settings={"llm.cache.enabled": True})
FAILING = Act(replies=({"status": 500, "text": "broken"}, {"text": "ok"}))
HEARD = Act(settings={"llm.middleware": ["echo"]})
LATE = Act(replies=({"text": "ok", "delay": 0.3},), settings={"llm.retry.max_attempts": 1})
LOSSY = Act(options={"top_k": 3}, settings={"llm.providers.acme.parameters": [{"match": "*", "drop": {"top_k": "no"}}]})
PORTKEY = Act(
    names={"preset": "house", "gateway": "portkey"},
    settings={"llm.gateways.portkey": {"base_url": "ORIGIN/acme/v1", "allow_http": True}},
)
INVALID = {
    "llm.providers.acme.base_url": "http://acme.invalid/v1",
    "llm.providers.acme.allow_http": True,
    "llm.retry.max_attempts": 1,
}
"""An address that no resolver knows: only a proxy gets there."""
THREE = replace(EMBED, content=["a", "b", "c"])


def answered(text: str) -> Callable[[Seen], bool]:
    """The result of the last tool that the model was told."""
    return lambda seen: any(text in str(m.get("content")) for m in seen.body.get("messages", ()) if m["role"] == "tool")


def prompt(preset: str | None = "p", **settings: Any) -> Act:
    """A preset that has the prompt p."""
    return Act(settings={"llm.presets.house.prompt": preset, **{f"llm.prompts.p.{n}": v for n, v in settings.items()}})


def told(text: str) -> Callable[[Seen], bool]:
    """The model was told this."""
    return lambda seen: text in str(seen.body.get("messages"))


NAMED = prompt(user="{{ word }} {{ input }}")

ARGUMENTS: Mapping[str, Proof] = {
    "base_url": Proof("ORIGIN/elsewhere/v1", path("^/elsewhere/")),
    "api_key": Proof("sk-row-0000", header("authorization", "Bearer sk-row-0000")),
    "auth_token": Proof("tk-row-0000", header("authorization", "Bearer tk-row-0000")),
    "headers.<name>": Proof("t", header("x-tok", "t"), at="x-tok"),
    "gateway_key": Proof("pk-row-0000", header("x-portkey-api-key", "pk-row-0000"), PORTKEY),
    "provider_url": Proof("https://away.test/v1", header("x-portkey-custom-host", "https://away.test/v1"), PORTKEY),
    "timeout": Proof(0.05, said("0.05 s"), LATE),
    "max_retries": Proof(0, both(said("broken"), count(1)), FAILING),
    "retry": Proof({"max_attempts": 1}, both(said("broken"), count(1)), FAILING),
    "middleware": Proof(["loud"], both(count(1), said("loud heard the call")), site=True),
    "tenant": Proof("acme-inc", said("of .'acme-inc', None"), HEARD, site=True),
    "session": Proof("talk-7", said("of .None, 'talk-7'"), HEARD, site=True),
    "by_provider.<name>": Proof({"top_p": 0.25}, sent(top_p=0.25), at="acme"),
    "on_lossy": Proof("error", both(said("LossyRequest|top_k"), count(0)), LOSSY),
    "allow_unknown": Proof(True, sent(frobnicate=1), Act(options={"frobnicate": 1})),
    "http_proxy": Proof("ORIGIN", path("^http://acme.invalid/"), Act(settings=INVALID)),
    "https_proxy": Proof(
        "http://127.0.0.1:1",
        said("127.0.0.1:1"),
        Act(settings={**INVALID, "llm.providers.acme.base_url": "https://acme.invalid/v1"}),
    ),
    "no_proxy": Proof(
        "acme.invalid", both(count(0), said("acme.invalid")), Act(environ={"HTTP_PROXY": "ORIGIN"}, settings=INVALID)
    ),
    "cache": Proof(True, count(1), Act(rounds=({}, {}))),
    "cache_config": Proof({"enabled": False}, count(2), TWICE),
    "cache_policy": Proof("off", count(2), TWICE),
    "stream_chat": Proof(True, sent(stream=True)),
    "structured_stream": Proof(
        False, lacks("stream"), replace(STREAM, options={"response_format": FORM}, replies=({"text": '{"a": 1}'},))
    ),
    "enforce_non_stream_structured": Proof(
        True, lacks("stream"), replace(STREAM, options={"response_format": FORM}, replies=({"text": '{"a": 1}'},))
    ),
    "structured_retries": Proof(
        0,
        both(count(1), said("no JSON")),
        Act(options={"response_format": FORM}, replies=({"text": "no"}, {"text": '{"a": 1}'})),
    ),
    "max_tool_turns": Proof(0, count(1), TOOLS),
    "tool_timeout": Proof(0.005, answered("ToolTimeout"), SLOW),
    "tool_concurrency": Proof(
        1,
        answered("alone"),
        MEET,
        hb=EXPLAIN,
        seen_by_hb=got('"tool_concurrency": {"value": 1,'),
        why="hb runs tools one after the other, as every sync call does",
    ),
    "repair_tool_calls": Proof(True, answered("42"), BROKEN),
    "tool_call_repair": Proof({"enabled": True}, answered("42"), BROKEN),
    "embedding_batch_size": Proof(1, count(3), THREE),
    "embedding_max_workers": Proof(
        1,
        lambda seen: len({request.connection for request in seen.requests}) == 1,
        replace(THREE, options={"embedding_batch_size": 1}, replies=({"delay": 0.05},) * 3),
    ),
    "dim": Proof(
        5,
        lambda seen: "len=5" in seen.result or len(re.findall(r"\d\.\d", seen.result)) == 5,
        replace(EMBED, names={"preset": "house", "gateway": "mock"}),
    ),
    "prompt_template": Proof("p", told("Greet hi"), prompt(None, user="Greet {{ input }}")),
    "prompt_values": Proof({"word": "oh"}, told("oh hi"), NAMED),
    "temperature": Proof(0.25, sent(temperature=0.25)),
    "seed": Proof(7, sent(seed=7)),
    "extra_body.<name>": Proof(1, sent(field=1), at="field"),
    "extra_query.<name>": Proof("1", path(r"\?.*field=1"), at="field"),
    "extra_headers.<name>": Proof("t", header("x-tok", "t"), at="x-tok"),
    "default_headers.<name>": Proof("t", header("x-tok", "t"), at="x-tok"),
    "<name>": Proof("me", sent(user="me"), at="user"),
}
"""What a row of arguments may hold; each is tried in every row."""
PLACES = (
    "llm.default_args",
    "llm.gateways.<name>.default_args",
    "llm.models.<name>.default_args",
    "llm.models.<name>.providers.<name>.default_args",
    "llm.providers.<name>.default_args",
    "llm.presets.<name>.default_args",
    "llm.presets.<name>.args",
)


def _of_row(place: str, proof: Proof) -> Proof:
    """The proof in a row; that of a gateway is that of the gateway which the proof is about."""
    gateway = proof.act.names.get("gateway")
    return replace(proof, rows={"gateways": gateway}) if "gateways" in place and gateway else proof


PROOFS: dict[str, Proof] = {
    f"{place}.{name}": _of_row(place, proof) for place in PLACES for name, proof in ARGUMENTS.items()
}


# Rows

for place in (
    "gateways.<name>",
    "models.<name>",
    "models.<name>.providers.<name>",
    "providers.<name>",
    "presets.<name>",
):
    PROOFS[f"llm.{place}.unset"] = Proof(["seed"], lacks("seed"))

SHOWN = ("list models --json", "list providers --json")


def listed(command: str, pattern: str) -> tuple[Act, Callable[[Seen], bool]]:
    return Act("list", args=tuple(command.split())), got(pattern)


IMAGE = f"data:image/png;base64,{b64encode(make_picture('a picture')).decode()}"
SEES = Act(images=("ORIGIN/pictures/picture.png",))
FILE_URL = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "read"},
            {"type": "file", "file": {"file_data": "https://files.test/a.pdf"}},
        ],
    },
    {"role": "assistant", "content": "done"},
    {"role": "user", "content": "go on"},
]
LATE_SYSTEM = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b"},
    {"role": "system", "content": "late"},
    {"role": "user", "content": "c"},
]
MARKED = [
    {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": "b"},
    {"role": "user", "content": "c"},
]
SCHEMA = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
RESPONSES = {"preset": "house", "gateway": "responses"}
DEFERRED = Act(options={"tools": [{**SCHEMA, "defer_loading": True}]}, names=RESPONSES)
CLAUDE = Act(
    names={"preset": "house", "gateway": "anthropic"}, settings={"llm.providers.acme.base_url": "ORIGIN/anthropic"}
)
DETAILED = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}}]},
    {"role": "assistant", "content": "seen"},
    {"role": "user", "content": "what is it?"},
]
FREE_TEXT = Act(options={"tools": [{"type": "custom", "name": "sql", "custom": {"name": "sql"}}]})

ABILITIES: Mapping[str, Proof] = {
    "chat": Proof(False, both(count(0), said("answers no chats"))),
    "stream": Proof(False, both(count(0), said("does not stream")), STREAM),
    "tools": Proof(False, both(count(0), said("has no tools")), Act(options={"tools": [SCHEMA]})),
    "vision": Proof(False, both(count(0), said("accepts no images")), Act(images=(IMAGE,))),
    "embeddings": Proof(False, both(count(0), said("has no embeddings")), EMBED),
    "images": Proof(False, both(count(0), said("generates no images")), IMAGEN),
    "embedding_base64": Proof(False, lacks("encoding_format"), EMBED),
    "stream_usage": Proof(False, lacks("stream_options"), STREAM),
    "image_detail": Proof(False, lambda seen: seen.requests and "detail" not in str(seen.body), Act(content=DETAILED)),
    "image_urls": Proof(
        False, both(count(0), said("pictures.invalid")), Act(images=("https://pictures.invalid/a.png",))
    ),
    "file_urls": Proof(False, said("files as bytes"), Act(content=FILE_URL)),
    "late_system": Proof(
        True, lambda seen: "late" in str(seen.body.get("messages")), replace(CLAUDE, content=LATE_SYSTEM)
    ),
    "deferred_tools": Proof(False, lambda seen: seen.requests and "defer_loading" not in str(seen.body), DEFERRED),
    "free_text_tools": Proof(False, both(count(0), said("free text")), FREE_TEXT),
    "prompt_marks": Proof(
        False, lambda seen: seen.requests and "cache_control" not in str(seen.body), replace(CLAUDE, content=MARKED)
    ),
    "models": Proof(False, both(count(0), said("has no list of its models")), MODELS, hb=MODELS),
    "files": Proof(False, both(count(0), said("capabilities.files")), Act("files")),
    "rerank": Proof(False, both(count(0), said("capabilities.rerank")), Act("rerank")),
    "background": Proof(False, both(count(0), said("capabilities.background")), Act("job", names=RESPONSES)),
    "batches": Proof(False, both(count(0), said("capabilities.batches")), Act("batches")),
    "max_output_tokens": Proof(100, sent(max_tokens=100), CLAUDE),
    "embedding_batch_limit": Proof(1, count(3), THREE),
    "structured": Proof(
        "none", lacks("response_format"), Act(options={"response_format": FORM}, replies=({"text": '{"a": 1}'},))
    ),
    "count_tokens": Proof("tokenize", path("/tokenize"), Act("count")),
    "reasoning_efforts": Proof(["high"], sent(reasoning_effort="high"), Act(options={"reasoning_effort": "low"})),
    "refused_parameters": Proof(["seed"], lacks("seed")),
    "file_references": Proof(["id"], said("file"), Act(content=FILE_URL)),
}
for place in ("models.<name>", "models.<name>.providers.<name>", "providers.<name>"):
    for name, proof in ABILITIES.items():
        if name in ("background", "batches") or (name in ("models", "files") and place != "providers.<name>"):
            why = "hb asks for no jobs of a model, and lists models and files of a provider, not of a model"
            proof = replace(proof, hb=EXPLAIN, seen_by_hb=got(f'"{name}": false'), why=why)
        PROOFS[f"llm.{place}.capabilities.{name}"] = proof
PROOFS["llm.providers.<name>.capabilities.late_system"] = replace(
    ABILITIES["late_system"],
    value=False,
    seen=lambda seen: seen.requests and "late" not in str(seen.body.get("messages")),
    act=replace(
        ABILITIES["late_system"].act,
        settings={**CLAUDE.settings, "llm.models.tiny.providers.acme.id": "claude-opus-4-8"},
    ),
)
