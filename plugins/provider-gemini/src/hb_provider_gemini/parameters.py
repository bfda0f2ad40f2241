"""Arguments of a call as the fields of a request for content, and the report of what became of each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hb_provider_gemini.schema import openapi_schema
from hb_provider_gemini.thinking import thinking_config
from hb_provider_gemini.tools import tool_fields
from heavenbase.call import REASONING
from heavenbase.http import EXTRAS, apply_rules, keep_ruled, mapping
from heavenbase.structured import plan_format
from heavenbase.wires import LIMITS, named_arguments, token_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_gemini.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_ELSEWHERE = REASONING | EXTRAS | {*_TOOLS, *LIMITS, "response_format"}
CONFIG: Mapping[str, str] = {
    **{name: name for name in ("temperature", "seed")},
    "top_p": "topP",
    "top_k": "topK",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "media_resolution": "mediaResolution",
    "speech_config": "speechConfig",
    "image_config": "imageConfig",
    "thinking_config": "thinkingConfig",
    "response_modalities": "responseModalities",
    "response_mime_type": "responseMimeType",
    "response_schema": "responseSchema",
    "response_json_schema": "responseJsonSchema",
    "candidate_count": "candidateCount",
    "max_output_tokens": "maxOutputTokens",
    "stop_sequences": "stopSequences",
}
"""Arguments and their fields in generationConfig; names that hb does not know go there too, as they are."""
TOP: Mapping[str, str] = {
    "safety_settings": "safetySettings",
    "cached_content": "cachedContent",
    "tool_config": "toolConfig",
    "labels": "labels",
    "store": "store",
    "continuation_token": "continuationToken",
    "model_armor_config": "modelArmorConfig",
    "generation_output_config": "outputConfig",
}
"""Arguments and their fields beside generationConfig; they may be given under the wire's own names too."""
_TOP = {**TOP, **{field: field for field in TOP.values()}}
_TIERS = {"auto": "standard", "default": "standard"}
_NO_COUNTERPART = "the wire has no such parameter"
# Of other wires; this one answers what it does not know with status 400.
FOREIGN: Mapping[str, str] = {
    "metadata": "the wire has no metadata; pass labels=",
    "prompt_cache_key": "the provider caches prompts by itself; pass cached_content= for a cache of your own",
    "prompt_caching": "the provider caches prompts by itself; pass cached_content= for a cache of your own",
    "verbosity": "the wire has no such parameter; say it in the prompt",
    **dict.fromkeys(("user", "safety_identifier"), "the wire does not tell users apart"),
    **dict.fromkeys(
        (
            *("repetition_penalty", "logit_bias", "min_p", "top_a", "prediction", "audio", "stream_options"),
            *("web_search_options", "functions", "function_call", "prompt_cache_retention", "reasoning"),
            "include_reasoning",
        ),
        _NO_COUNTERPART,
    ),
}


def camel(name: str) -> str:
    """A name as the wire writes it."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


class Fields(NamedTuple):
    """The fields of a request beside the contents; `instruction` is what the system instruction must add."""

    top: dict[str, Any]
    config: dict[str, Any]
    instruction: str = ""


def content_fields(call: Call, traits: Traits) -> Fields:
    """The fields for a call's arguments, but for `extra_body`, which `merge_extra` lays over the whole request."""
    report = call.context.report
    named = named_arguments(call)
    apply_rules(call.spec, named, report)
    ruled = {name: entry for name, entry in report.entries.items() if entry.outcome != "sent"}
    config: dict[str, Any] = {}
    top = tool_fields(named, report)
    limit = token_limit(named, "generationConfig.maxOutputTokens", report)
    if limit is not None:
        config["maxOutputTokens"] = limit
    for name, value in named.items():
        if name in _ELSEWHERE:
            continue
        if name in FOREIGN:
            report.dropped(name, FOREIGN[name])
        elif name in _HANDLERS:
            _HANDLERS[name](name, value, top, config, report)
        elif name in _TOP:
            top[_TOP[name]] = value
            report.renamed(name, _TOP[name])
        else:
            config[CONFIG.get(name, name)] = value
            report.renamed(name, f"generationConfig.{CONFIG.get(name, name)}")
    thoughts = thinking_config(traits, named, call.explicit, report)
    if thoughts or "thinkingConfig" in config:
        config["thinkingConfig"] = {**thoughts, **mapping(config, "thinkingConfig")}
    instruction = _format(call, traits, bool(top.get("tools")), config)
    keep_ruled(ruled, report)
    return Fields(top, config, instruction)


def asked_candidates(args: Mapping[str, Any]) -> int:
    """How many answers a call asks for, wherever it says so; what is laid over the rest counts first."""
    extra = args.get("extra_body")
    whole = [mapping(args, name) for name in ("generation_config", "generationConfig") if args.get(name)]
    if extra:
        whole.insert(0, mapping(mapping(args, "extra_body"), "generationConfig"))
    for held, names in [
        *((it, ("candidateCount",)) for it in whole),
        (args, ("candidate_count", "candidateCount", "n")),
    ]:
        found = next((held[name] for name in names if isinstance(held.get(name), int)), None)
        if found is not None:
            return int(found)
    return 1


def merge_extra(body: dict[str, Any], args: Mapping[str, Any], report: ParameterReport) -> None:
    """Lay `extra_body` over a request; mappings are merged, so that one key can be added to generationConfig."""
    extra = mapping(args, "extra_body")
    if extra:
        report.sent("extra_body")
        _lay_over(body, extra)


def _lay_over(target: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for name, value in extra.items():
        before = target.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged = dict(before)
            _lay_over(merged, value)
            target[name] = merged
        else:
            target[name] = value


def _format(call: Call, traits: Traits, has_tools: bool, config: dict[str, Any]) -> str:
    if call.args.get("response_format") is None:
        return ""
    report = call.context.report
    mixes = not has_tools or traits.mixes_tools
    plan = plan_format(call, capability="json_schema" if mixes and traits.schemas != "none" else "none")
    if plan.strategy == "text":
        report.emulated("response_format", "the wire answers in text")
        return ""
    wire = "generationConfig.responseMimeType"
    if plan.strategy == "schema" and plan.schema is not None:
        config["responseMimeType"] = "application/json"
        if traits.schemas == "json":
            wire = "generationConfig.responseJsonSchema"
            config["responseJsonSchema"] = plan.schema
        else:
            wire = "generationConfig.responseSchema"
            config["responseSchema"] = openapi_schema(plan.schema)
    elif plan.strategy == "object":
        config["responseMimeType"] = "application/json"
    elif plan.strategy == "other":
        wire = "generationConfig"
        config.update(mapping(call.args, "response_format"))
    plan.note(report, wire)
    return plan.instruction


def _stop(name: str, value: Any, top: dict[str, Any], config: dict[str, Any], report: ParameterReport) -> None:
    listed = [value] if isinstance(value, str) else list(value)
    if listed:
        config["stopSequences"] = listed
        report.renamed(name, "generationConfig.stopSequences")
    else:
        report.dropped(name, "the list is empty")


def _count(name: str, value: Any, top: dict[str, Any], config: dict[str, Any], report: ParameterReport) -> None:
    if value == 1:
        report.emulated(name, "the wire gives one answer")
    else:
        config["candidateCount"] = value
        report.renamed(name, "generationConfig.candidateCount")


def _modalities(name: str, value: Any, top: dict[str, Any], config: dict[str, Any], report: ParameterReport) -> None:
    config["responseModalities"] = [str(item).upper() for item in ([value] if isinstance(value, str) else value)]
    report.renamed(name, "generationConfig.responseModalities")


def _tier(name: str, value: Any, top: dict[str, Any], config: dict[str, Any], report: ParameterReport) -> None:
    top["serviceTier"] = _TIERS.get(value, value) if isinstance(value, str) else value
    report.renamed(name, "serviceTier")


def _whole_config(name: str, value: Any, top: dict[str, Any], config: dict[str, Any], report: ParameterReport) -> None:
    _lay_over(config, mapping({name: value}, name))
    report.renamed(name, "generationConfig")


_HANDLERS = {
    "stop": _stop,
    "n": _count,
    "modalities": _modalities,
    **dict.fromkeys(("service_tier", "serviceTier"), _tier),
    "generation_config": _whole_config,
    "generationConfig": _whole_config,
}
