"""What models on Bedrock can do, told by their names. Pure.

A name is `vendor.model-version`, maybe behind the region of an inference profile (`us.`, `eu.`, `global.`), or the last
part of an ARN. A model that hb does not know, such as one behind an application inference profile, is taken to do all
that the wire can.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from hb_provider_bedrock.claude import claude_traits

if TYPE_CHECKING:
    from hb_provider_bedrock.claude import Claude
    from heavenbase.call import Call
    from heavenbase.operations import ModelInfo
    from heavenbase.spec import LLMSpec

    Kind = Literal["chat", "embed", "image", "other"]

_PROFILE = re.compile(r"^(?:us-gov|global|apac|[a-z]{2})\.(?=[a-z0-9-]+\.)")
ALL_CHOICES = ("auto", "any", "tool")


@dataclass(frozen=True, slots=True)
class Traits:
    """How a model differs from others on this wire.

    `family` chooses the body of requests that are no chats; `choices` are the kinds of toolChoice it takes; `streams`
    and `streams_tools` whether answers, and answers with tools, may be streamed; `top_k` is the path of that option
    below additionalModelRequestFields, "" for none; `thinking` how it is told to think ("always": by itself);
    `structured` whether it keeps to a JSON schema; `caches` whether it knows cache points; `takes_late_system`
    whether it takes system messages between the others on its vendor's own wire; `claude` what Claude alone has.
    """

    family: str = ""
    kind: Kind = "chat"
    vision: bool = True
    tools: bool = True
    choices: tuple[str, ...] = ALL_CHOICES
    system: bool = True
    streams: bool = True
    streams_tools: bool = True
    top_k: str = "top_k"
    thinking: Literal["unknown", "none", "always", "claude", "nova", "effort"] = "unknown"
    structured: bool = True
    caches: bool = True
    takes_late_system: bool = False
    claude: Claude | None = None


_PLAIN = Traits(vision=False, top_k="", thinking="none", structured=False, caches=False)
_TEXT = replace(_PLAIN, tools=False)
_OPEN = replace(_PLAIN, structured=True, choices=("auto",))
_NOVA = Traits("nova", top_k="inferenceConfig.topK", thinking="none", structured=False)
_OTHER = replace(_TEXT, kind="other")

# The first pattern that begins the name counts.
_MODELS: tuple[tuple[str, Traits], ...] = (
    (r"amazon\.nova-canvas", Traits("amazon", "image")),
    (r"amazon\.(?:nova-reel|nova-(?:2-)?sonic)", _OTHER),
    (r"amazon\.nova-2-multimodal-embed", Traits("nova-embed", "embed")),
    (r"amazon\.nova-micro", replace(_NOVA, vision=False)),
    (r"amazon\.nova-2", replace(_NOVA, thinking="nova")),
    (r"amazon\.nova", _NOVA),
    (r"amazon\.titan-image", Traits("amazon", "image")),
    (r"amazon\.titan-embed-image", Traits("titan-image", "embed")),
    (r"amazon\.titan-embed-(?:text-v1|g1)", Traits("titan-1", "embed")),
    (r"amazon\.titan-embed", Traits("titan-2", "embed")),
    (r"amazon\.titan-text", replace(_TEXT, system=False)),
    (r"amazon\.rerank|cohere\.rerank", _OTHER),
    (r"cohere\.embed-v[4-9]", Traits("cohere-4", "embed")),
    (r"cohere\.embed", Traits("cohere", "embed")),
    (r"cohere\.command-r", replace(_PLAIN, top_k="k", choices=("auto",))),
    (r"cohere\.command", replace(_TEXT, system=False, top_k="k")),
    (r"stability\.stable-diffusion-xl", Traits("sdxl", "image")),
    (r"stability\.", Traits("stability", "image")),
    (r"twelvelabs\.marengo", _OTHER),
    (r"meta\.llama[12]-|meta\.llama3-(?!\d-)", _TEXT),
    (r"meta\.llama3-2-(?:1b|3b)", _TEXT),
    (r"meta\.llama(?:3-2|4)", replace(_PLAIN, vision=True, choices=("auto",), streams_tools=False)),
    (r"meta\.llama", replace(_PLAIN, choices=("auto",), streams_tools=False)),
    (r"mistral\.(?:mistral-7b|mixtral)", replace(_TEXT, system=False, top_k="top_k")),
    (r"mistral\.mistral-large-24", replace(_PLAIN, choices=("auto", "any"), top_k="top_k")),
    (r"mistral\.mistral-small-24", replace(_PLAIN, choices=("auto", "any"), top_k="top_k")),
    (r"mistral\.(?:pixtral|mistral-large-3|ministral)", replace(_OPEN, vision=True, choices=("auto", "any"))),
    (r"mistral\.", replace(_OPEN, choices=("auto", "any"))),
    (r"ai21\.j2", replace(_TEXT, system=False, streams=False)),
    (r"ai21\.", replace(_PLAIN, choices=("auto",))),
    (r"deepseek\.r1", replace(_TEXT, thinking="always")),
    (r"deepseek\.", _OPEN),
    (r"openai\.gpt-oss", replace(_OPEN, thinking="effort")),
    (r"moonshot(?:ai)?\.[a-z0-9.-]*thinking", replace(_OPEN, thinking="always")),
    (
        r"(?:google\.gemma-3|qwen\.[a-z0-9.-]*-vl|moonshot(?:ai)?\.kimi-k2[.-]5|nvidia\.[a-z0-9.-]*-vl)",
        replace(_OPEN, vision=True),
    ),
    (r"(?:qwen|moonshot(?:ai)?|zai|minimax|nvidia|google)\.", _OPEN),
    (r"writer\.palmyra", replace(_PLAIN, choices=("auto",))),
)
UNKNOWN = Traits()


def base_name(model_id: str) -> str:
    """The vendor's name of a model: without ARN and inference profile, in lower case."""
    name = model_id.lower()
    if name.startswith("arn:"):
        name = name.rpartition("/")[2]
    name = _PROFILE.sub("", name)
    # hb's own names of Amazon's models
    return f"amazon.{name}" if name.startswith(("nova-", "titan-")) else name


def region_of(model_id: str) -> str:
    """The region in an ARN; "" for other names."""
    parts = model_id.split(":", 5)
    return parts[3] if len(parts) == 6 and parts[0] == "arn" else ""


@lru_cache(maxsize=256)
def traits_of_name(model_id: str) -> Traits:
    """The traits that a name tells."""
    name = base_name(model_id)
    if "claude" in name:
        return _claude(claude_traits(name))
    # Compiled as they are tried, for a program uses few models.
    return next((traits for pattern, traits in _MODELS if re.match(pattern, name)), UNKNOWN)


def traits_of(spec: LLMSpec) -> Traits:
    """The traits of a spec's model, with what its records declare over them."""
    return traits_of_name(spec.model_id)


@lru_cache(maxsize=256)
def capabilities_of(model_id: str) -> dict[str, Any]:
    """What the provider's record says of a model's abilities, where the name tells."""
    traits = traits_of_name(model_id)
    if traits is UNKNOWN:
        return {}
    found: dict[str, Any] = {
        "chat": traits.kind == "chat",
        "embeddings": traits.kind == "embed",
        "images": traits.kind == "image",
    }
    if traits.kind == "chat":
        found |= {"stream": traits.streams, "tools": traits.tools, "vision": traits.vision}
        found["structured"] = "json_schema" if traits.structured else "none"
    if traits.kind == "embed":
        found["embedding_batch_limit"] = 96 if traits.family.startswith("cohere") else 1
    return found


def _claude(claude: Claude) -> Traits:
    return Traits(
        "claude",
        vision=claude.version >= (3, 0),
        tools=claude.version >= (3, 0),
        choices=ALL_CHOICES if claude.forces_tools else ("auto",),
        thinking="claude" if claude.thinking != "none" else "none",
        structured=claude.version >= (4, 5),
        caches=claude.version >= (3, 5),
        takes_late_system=claude.version >= (4, 8),
        claude=claude,
    )


def base_model(model_id: str) -> str:
    """The model behind an inference profile of Amazon's own, which has its region in front."""
    return _PROFILE.sub("", model_id)


def model_page(call: Call, decoded: Any) -> tuple[list[ModelInfo], str | None]:
    """(the models of a region, None as there is one page)."""
    from heavenbase.http import as_list, as_object
    from heavenbase.operations import ModelInfo, id_of
    from heavenbase.wires import first_text

    found = []
    for row in as_list(call, as_object(call, decoded, "the list").get("modelSummaries"), "`modelSummaries`"):
        row = as_object(call, row, "a model")
        name = id_of(call, row, "modelId")
        found.append(ModelInfo(name, first_text(row, "providerName"), name=first_text(row, "modelName"), raw=row))
    return found, None
