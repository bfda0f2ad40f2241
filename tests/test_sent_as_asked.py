"""What is sent is what was asked: every option, and every attribute of a message, a part, a call and a tool.

Each is given on every wire, and found in the request, in the report, or named by a typed error before anything is sent.
The names are those of hb, and all that the published schemas of the wires have.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.server.schema import RequestSchema
from heavenbase.colour import drive
from heavenbase.config.config import Config
from heavenbase.errors import HBError
from heavenbase.flow.preparing import encode_images
from heavenbase.image import LLMImage, make_picture
from heavenbase.kernel import Kernel
from heavenbase.messages import to_messages
from heavenbase.options import TABLE
from heavenbase.types import ParameterReport

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
WIRES: Mapping[str, tuple[str, str | None, str | None]] = {
    # model, its gateway where that is not the first, the operation in the schema of its wire
    "openai": ("openai/gpt-4o", None, "CreateChatCompletionRequest"),
    "responses": ("openai/gpt-5.6", "responses", "CreateResponse"),
    "azure": ("azure/some-deployment", None, "CreateChatCompletionRequest"),
    "groq": ("groq/llama-3.3-70b-versatile", None, None),
    "deepseek": ("deepseek/deepseek-v4-pro", None, None),
    "moonshot": ("moonshot/kimi-k2.6", None, None),
    "zai": ("zai/glm-5", None, None),
    "openrouter": ("openrouter/anthropic/claude-sonnet-4.5", None, None),
    "custom": ("custom/m", None, None),
    "anthropic": ("anthropic/claude-sonnet-4-5", None, "CreateMessageParams"),
    "bedrock": (f"bedrock/{CLAUDE}", None, "Converse"),
    "gemini": ("gemini/gemini-3-pro-preview", None, "GenerateContentRequest"),
    "cohere": ("cohere/command-a-vision-07-2025", None, "chat"),
    "mistral": ("mistral/mistral-large-latest", None, "chat"),
    "ollama": ("ollama/qwen3", None, "chat"),
}
SCHEMAS = {"azure": "openai"}
OWN_PLACES = {
    "azure": {"base_url": "http://127.0.0.1:1/v1"},
    "custom": {"base_url": "http://127.0.0.1:1/v1"},
    "vertex": {"project": "p"},
}


def more_wires() -> dict[str, tuple[str, str | None, str | None]]:
    """The providers that no line names, with the models that they chat with by default, and gateways to many."""
    found: dict[str, tuple[str, str | None, str | None]] = {}
    for path in sorted(Path(__file__).parents[1].glob("plugins/*/src/*/provider.toml")):
        record = tomllib.loads(path.read_text(encoding="utf-8"))["provider"]
        name, model = record["name"], record.get("default_models", {}).get("chat")
        if name not in WIRES and model is not None:
            found[name] = (f"{name}/{model}", None, None)
    return found | {name: ("openai/gpt-4o", name, None) for name in ("portkey", "bifrost")}


WIRES = {**WIRES, **more_wires()}
SAMPLES = {
    "float": 0.5,
    "int": 3,
    "bool": True,
    "str": "word",
    "list[str]": ["word"],
    "table": {"name": "word"},
}
OWN: Mapping[str, Any] = {
    "reasoning_effort": "low",
    "audio": {"voice": "alloy", "format": "wav"},
    "modalities": ["text"],
    "prediction": {"type": "content", "content": "word"},
    "stream_options": {"include_usage": True},
    "logit_bias": {"1": 2},
    "verbosity": "low",
    "service_tier": "default",
    "prompt_caching": True,
    "logprobs": True,
    "reasoning_max_tokens": 2048,
    "max_tokens": 4096,
    "max_completion_tokens": 4096,
    "tools": [{"type": "function", "function": {"name": "w", "parameters": {"type": "object", "properties": {}}}}],
    "response_format": {"type": "json_object"},
    "web_search_options": {"search_context_size": "low"},
    "extra_headers": {"x-a": "word"},
    "default_headers": {"x-b": "word"},
    "moderation": "auto",
    "wire_include": ["message.output_text.logprobs"],
}
ELSEWHERE = {
    *(
        "dimensions",
        "encoding_format",
        "input_type",
        "task_type",
        "truncate",
        "size",
        "aspect_ratio",
        "quality",
        "style",
    ),
    *("background", "moderation", "output_format", "output_compression", "input_fidelity", "negative_prompt", "mask"),
}
"""Options of embeddings and images: a chat may pass them on, and wires differ in whether they know them."""
GIVEN = [option for option in TABLE if option.kind in ("argument", "extra") and option.name not in ELSEWHERE]
SILENT = ("tool_choice", "parallel_tool_calls")


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    own = {f"heavenbase.llm.default_args.{name}": None for name in ("temperature", "seed")}
    with Kernel(Config.from_dict(own, environ=environment())) as made:
        yield made


def sent(kernel: Kernel, wire: str, messages: Any = "Hello, say json", **options: Any) -> tuple[Any, ParameterReport]:
    """(what would be sent: body, headers and address; the report)."""
    model, gateway, _ = WIRES[wire]
    spec = kernel.resolve(None, model, None, gateway, **OWN_PLACES.get(wire, {}))
    options = {"on_lossy": "allow", **options}
    call = kernel.call("complete", spec, options, is_async=False, messages=to_messages(messages))
    call = drive.run(encode_images(call, kernel.registry, kernel.services.setting))
    request = kernel.gateway(spec).prepare(call)
    return {"body": request.body, "headers": dict(request.headers), "url": request.url}, call.context.report


def sample(option: Any) -> Any:
    return OWN.get(option.name, SAMPLES.get(option.types.split(" | ")[0], "word"))


def fits(wire: str, body: Any) -> str | None:
    """What the wire's published schema has against a request."""
    operation = WIRES[wire][2]
    if operation is None:
        return None
    problem = RequestSchema(SCHEMAS.get(wire, wire)).problem(operation, json.loads(json.dumps(body)))
    return problem and f"{problem.path}: {problem.text}"


@pytest.mark.parametrize("wire", WIRES)
def test_a8_every_option_is_on_the_wire_or_in_the_report(kernel: Kernel, wire: str) -> None:
    plain, _ = sent(kernel, wire)
    lost = []
    for option in GIVEN:
        more = {"tools": OWN["tools"]} if option.name in SILENT else {}
        value = {"tool_choice": "auto"}.get(option.name, sample(option))
        if option.name == "top_logprobs":
            more["logprobs"] = True
        try:
            found, report = sent(kernel, wire, **{option.name: value}, **more)
        except HBError:
            continue
        entry = report.entries.get(option.name)
        if entry is None:
            lost.append(f"{option.name}: neither sent nor reported")
        elif entry.outcome in ("sent", "renamed", "clamped", "unknown") and found == plain:
            lost.append(f"{option.name}: reported as {entry.outcome}, and nothing of it is sent")
        elif option.name != "extra_body" and (problem := fits(wire, found["body"])):
            lost.append(f"{option.name}: {problem}")
    assert lost == []


def made_of(schema: RequestSchema, shape: Any, depth: int = 0) -> Any:
    """A value that a part of a published schema may take: of an object what it requires, or else its first field."""
    if not isinstance(shape, dict) or depth > 8:
        return "word"
    if "$ref" in shape:
        return made_of(schema, schema.document["$defs"][shape["$ref"].rpartition("/")[2]], depth + 1)
    for word in ("const", "enum"):
        if word in shape:
            return shape[word] if word == "const" else next(value for value in shape[word] if value is not None)
    for word in ("anyOf", "oneOf", "allOf"):
        if others := [other for other in shape.get(word, ()) if other.get("type") != "null"]:
            return made_of(schema, others[0], depth + 1)
    kinds = shape.get("type", "object" if "properties" in shape else "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "array":
        return [made_of(schema, shape.get("items"), depth + 1)]
    if kind == "object":
        fields = shape.get("properties", {"a": {"type": "string"}})
        chosen = shape.get("required") or list(fields)[:1]
        return {name: made_of(schema, fields.get(name), depth + 1) for name in chosen}
    return {"string": "word", "boolean": True}.get(kind, max(shape.get("minimum", 1), 1))


def fields_of(schema: RequestSchema, shape: dict[str, Any]) -> dict[str, Any]:
    """The fields of a shape, and of those that it is put together from."""
    if "$ref" in shape:
        return fields_of(schema, schema.document["$defs"][shape["$ref"].rpartition("/")[2]])
    parts = [fields_of(schema, part) for part in shape.get("allOf", ())]
    return {name: field for part in (*parts, shape.get("properties", {})) for name, field in part.items()}


HANDED = frozenset({"model", "messages", "system", "stream", "input", "contents", "systemInstruction", "toolConfig"})
"""What callers name otherwise, or hb makes of what they say."""
INNER = {"gemini": "generationConfig", "ollama": "options", "bedrock": "inferenceConfig"}
"""Fields of a request whose own fields are options."""


@pytest.mark.parametrize("wire", [wire for wire, (_, _, operation) in WIRES.items() if operation is not None])
def test_a8_every_field_of_the_published_request_is_on_the_wire_or_in_the_report(kernel: Kernel, wire: str) -> None:
    schema = RequestSchema(SCHEMAS.get(wire, wire))
    known = {option.name for option in TABLE}
    plain, _ = sent(kernel, wire)
    shapes = fields_of(schema, schema.document["$defs"][WIRES[wire][2]])
    given = {name: {name: made_of(schema, shape)} for name, shape in shapes.items() if name not in HANDED | known}
    inner = INNER.get(wire, "")
    for name, shape in fields_of(schema, shapes.get(inner, {})).items():
        given[f"{inner}.{name}"] = {inner: {name: made_of(schema, shape)}}
    lost, refused = [], []
    for name, options in given.items():
        try:
            found, report = sent(kernel, wire, **options)
        except HBError:
            refused.append(name)
            continue
        told = {entry.partition(".")[0] for entry in report.entries} | set(report.entries)
        outcomes = {entry.outcome for entry in report.entries.values()}
        if not told & set(options) or (found == plain and outcomes <= {"sent", "renamed", "unknown"}):
            lost.append(f"{name}: {report.entries}")
    assert lost == []
    assert len(refused) < max(len(given) / 4, 2), refused


HOLDERS = re.compile(r"Message|Content|Part|Block|Chunk|Tool|Function|InputItem")
DATA = frozenset({"type", "role", "text", "content", "function", "custom"})


def attributes() -> list[str]:
    """All that a message, a part or a tool may say on any wire, and what hb knows."""
    names = {"cache_control", "prompt_cache_breakpoint", "detail", "defer_loading", "videoMetadata", "phase", "prefix"}
    for wire in ("openai", "responses", "anthropic", "bedrock", "gemini", "cohere", "mistral", "ollama"):
        for name, table in RequestSchema(wire).document["$defs"].items():
            if HOLDERS.search(name):
                names |= table.get("properties", {}).keys()
    return sorted(names - DATA)


ATTRIBUTES = attributes()
IMAGE = LLMImage.from_bytes(make_picture("a picture"))
MARKS = ("cache_control", "prompt_cache_breakpoint", "cachePoint")
CALLED = {"id": "call_1", "type": "function", "function": {"name": "w", "arguments": "{}"}}
PDF = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}
READ = {
    "text": {"type": "text", "text": "t"},
    "image": {"type": "image", "image": IMAGE},
    "file": {"type": "file", "file": PDF},
}
SOURCES = frozenset(
    {
        *(
            "image_url",
            "source",
            "image",
            "data",
            "url",
            "inlineData",
            "file_id",
            "filename",
            "format",
            "file",
            "bytes",
        ),
        *("media_type", "mime_type", "detail", "revised_prompt", "result", "b64_json", "input_image", "image_bytes"),
    }
)
"""What an image or a file is read from, which is content."""
KEPT = {
    "message": frozenset({"name", "tool_calls", "tool_call_id", "is_error", "images", "parsed", "reasoning_content"})
    | {"citations", "logprobs", "choices", "filters", "audio"},
    "call": frozenset({"id", "name", "arguments", "type"}),
    "tool": frozenset({"name", "description", "parameters", "input_schema", "inputSchema", "schema", "strict", "run"}),
}


def conversation(holder: str, more: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """(messages, tools) with these attributes on one of them."""
    user: dict[str, Any] = {"role": "user", "content": "q"}
    answer: dict[str, Any] = {"role": "assistant", "content": "a"}
    tool: dict[str, Any] = {**OWN["tools"][0]}
    called: list[Any] = []
    if holder == "message":
        user |= more
    elif holder == "answer":
        answer |= more
    elif holder == "call":
        called = [
            {"role": "assistant", "content": None, "tool_calls": [{**CALLED, **more}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "r"},
        ]
    elif holder == "tool":
        tool |= more
    else:
        user["content"] = [READ["text"], {**READ[holder], **more}]
    return [user, answer, {"role": "user", "content": "q"}, *called], [tool]


@pytest.mark.parametrize("holder", ["message", "answer", "call", "tool", "text", "image", "file"])
@pytest.mark.parametrize("wire", WIRES)
def test_a8_every_attribute_is_on_the_wire_or_in_the_report(kernel: Kernel, wire: str, holder: str) -> None:
    skipped = KEPT.get(holder, KEPT["message"] if holder == "answer" else SOURCES | {"file"})
    names = [name for name in ATTRIBUTES if name not in skipped]
    try:
        lost = lost_of(kernel, wire, holder, *(name for name in names if name not in MARKS))
    except HBError:  # one of them is refused, which says nothing of the others
        lost = names
    assert [name for name in [*lost, *MARKS] if is_lost(kernel, wire, holder, name)] == []


def is_lost(kernel: Kernel, wire: str, holder: str, name: str) -> bool:
    try:
        return bool(lost_of(kernel, wire, holder, name))
    except HBError:
        return False


def lost_of(kernel: Kernel, wire: str, holder: str, *names: str) -> list[str]:
    """Those of the names that are neither sent nor reported when they are given together."""
    mark = {"type": "ephemeral"}
    given = {name: mark if name in MARKS else {"marked": f"mark-{name}"} for name in names}
    messages, tools = conversation(holder, given)
    found, report = sent(kernel, wire, messages, tools=tools)
    written = json.dumps(found["body"])
    told = {entry.rpartition(".")[2] for entry in report.entries}
    on_wire = {name for name in names if f'mark-{name}"' in written}
    if any(f'"{name}"' in written for name in MARKS):
        on_wire |= set(MARKS)
    if holder == "tool" and report.entries["tools"].outcome == "dropped":  # and all that is in them
        return []
    return [name for name in names if name not in on_wire | told]


OTHER_VERBS: Mapping[str, tuple[str, str]] = {
    "openai embeds": ("embed", "openai/text-embedding-3-small"),
    "azure embeds": ("embed", "azure/vectors"),
    "voyage embeds": ("embed", "voyage/voyage-3.5"),
    "cohere embeds": ("embed", "cohere/embed-v4.0"),
    "gemini embeds": ("embed", "gemini/gemini-embedding-001"),
    "mistral embeds": ("embed", "mistral/mistral-embed"),
    "bedrock embeds": ("embed", "bedrock/cohere.embed-v4:0"),
    "ollama embeds": ("embed", "ollama/embeddinggemma"),
    "openai paints": ("imagen", "openai/gpt-image-1"),
    "azure paints": ("imagen", "azure/pictures"),
    "gemini paints": ("imagen", "gemini/gemini-2.5-flash-image"),
    "openrouter paints": ("imagen", "openrouter/google/gemini-2.5-flash-image"),
    "bedrock paints": ("imagen", "bedrock/amazon.titan-image-generator-v2:0"),
}
CHATS_ALONE = ("verbosity", "audio", "prediction", "stream_options", "prompt_cache_key", "web_search_options", "tools")


@pytest.mark.parametrize("case", OTHER_VERBS)
def test_a8_embeddings_and_images_send_or_report_every_option_and_none_of_chats_alone(
    kernel: Kernel, case: str
) -> None:
    verb, model = OTHER_VERBS[case]
    there = {"base_url": "http://127.0.0.1:1/v1"} if model.startswith("azure") else {}
    spec = kernel.resolve(None, model, **there)
    content: dict[str, Any] = {"inputs": ["a"]} if verb == "embed" else {"prompt": "a mug"}

    def prepared(**options: Any) -> tuple[str, ParameterReport]:
        call = kernel.call(verb, spec, {"on_lossy": "allow", **options}, is_async=False, **content)
        request = kernel.gateway(spec).prepare(call)
        return f"{request.body} {dict(request.headers)} {request.url}", call.context.report

    plain, wrong = prepared()[0], []
    for option in (it for it in TABLE if it.kind in ("argument", "extra")):
        try:
            found, report = prepared(**{option.name: sample(option)})
        except HBError:
            continue
        entry = report.entries.get(option.name)
        if entry is None:
            wrong.append(f"{option.name}: not reported")
        elif entry.outcome in ("sent", "renamed", "clamped") and found == plain:
            wrong.append(f"{option.name}: reported as {entry.outcome}, and nothing of it is sent")
        elif option.name in CHATS_ALONE and entry.outcome != "dropped" and case != "openrouter paints":
            wrong.append(f"{option.name}: {entry.outcome}")
    assert wrong == []
