"""Arguments of a chat as fields of Converse. Pure; the call's report says what became of each.

max_tokens, temperature, top_p, stop        inferenceConfig
top_k and what hb does not know             additionalModelRequestFields, which hold what one model alone takes
metadata, user                              requestMetadata
guardrailConfig, performanceConfig, …       as they are, in the wire's own names or in snake case
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hb_provider_bedrock.client import PLACES
from hb_provider_bedrock.sampling import fit_sampling
from hb_provider_bedrock.thinking import LEAST_BUDGET, Thoughts, translate
from hb_provider_bedrock.tools import tool_config
from heavenbase.call import REASONING
from heavenbase.errors import InputTypeError
from heavenbase.http import EXTRAS, apply_rules, keep_ruled
from heavenbase.types import ParameterReport
from heavenbase.wires import LIMITS, named_arguments, texts, token_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hb_provider_bedrock.models import Traits
    from heavenbase.call import Call

FIELDS = "additionalModelRequestFields"
_ELSEWHERE = REASONING | EXTRAS | {*LIMITS, *PLACES, "tools", "tool_choice", "parallel_tool_calls"}
_ELSEWHERE |= {"response_format", "prompt_caching"}
_OWN = (
    *("guardrailConfig", "performanceConfig", "requestMetadata", "promptVariables", "inferenceConfig", "outputConfig"),
    *("additionalModelResponseFieldPaths", FIELDS, "serviceTier", "projectIdentifier"),
)
OWN_NAMES = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): name for name in _OWN} | {name: name for name in _OWN}
OWN_NAMES["guardrail"] = "guardrailConfig"
_NO_COUNTERPART = "Converse has no such parameter"
# Of other wires; models here refuse what they do not know.
FOREIGN: Mapping[str, str] = {
    "seed": "Converse has no seed",
    "n": "Converse gives one answer",
    **dict.fromkeys(("logprobs", "top_logprobs"), "Converse has no log probabilities"),
    **dict.fromkeys(("store", "prompt_cache_key"), "the provider keeps nothing; prompt_caching=True marks prompts"),
    **dict.fromkeys(
        (
            *("frequency_penalty", "presence_penalty", "repetition_penalty", "logit_bias", "min_p", "top_a"),
            *("verbosity", "modalities", "audio", "prediction", "stream_options", "web_search_options"),
            *("functions", "function_call", "prompt_cache_retention", "reasoning", "include_reasoning"),
        ),
        _NO_COUNTERPART,
    ),
}
_METADATA_VALUE = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_TIERS = ("priority", "default", "flex", "reserved")


class Fields(NamedTuple):
    """The fields of a request beside system and messages."""

    wire: dict[str, Any]
    thoughts: Thoughts


def chat_fields(call: Call, traits: Traits, *, may_think: bool = True) -> Fields:
    """The fields for a call's arguments, but for `response_format`; `may_think` as in `thinking.translate`."""
    explicit, report = call.explicit, call.context.report
    ruled = ParameterReport()
    named = named_arguments(call)
    apply_rules(call.spec, named, ruled)
    thoughts = translate(traits, named, explicit, may_think, report)
    wire: dict[str, Any] = {}
    thoughts = _limit(named, thoughts, wire, report)
    for name, value in named.items():
        if name in PLACES:
            report.emulated(name, "chooses where the request goes, and as whom")
        elif name in _ELSEWHERE:
            continue
        elif name in OWN_NAMES and not (name in _HANDLERS and isinstance(value, str)):
            _own(name, value, wire, report)
        elif name in FOREIGN:
            report.dropped(name, FOREIGN[name])
        elif name in _HANDLERS:
            _HANDLERS[name](name, value, traits, wire, report)
        else:
            _additional(name, value, traits, wire, report)
    if thoughts.fields:
        own = wire.get(FIELDS)
        wire[FIELDS] = {**thoughts.fields, **own} if isinstance(own, dict) else thoughts.fields
    fit_sampling(wire, traits, thoughts.is_on, explicit, report)
    config = tool_config(call, named, traits, thoughts.budget is not None)
    if config is not None:
        wire["toolConfig"] = config
    keep_ruled(ruled.entries, report)
    return Fields(wire, thoughts)


def _limit(named: Mapping[str, Any], thoughts: Thoughts, wire: dict[str, Any], report: ParameterReport) -> Thoughts:
    """maxTokens, which is for thoughts and answer together: a budget of thoughts must be below it."""
    limit = token_limit(named, "inferenceConfig.maxTokens", report)
    if limit is None:
        return thoughts
    wire.setdefault("inferenceConfig", {})["maxTokens"] = limit
    if thoughts.budget is None or thoughts.budget < limit:
        return thoughts
    steering = [name for name in ("think", "reasoning_effort", "reasoning_max_tokens") if named.get(name) is not None]
    if limit <= LEAST_BUDGET:
        chosen = next(name for name in LIMITS if named.get(name) is not None)
        for name in steering:
            report.dropped(name, f"{chosen} must be above {LEAST_BUDGET} to leave room for thoughts")
        return Thoughts({})
    # A quarter of the tokens stays for the answer, where that can be.
    fitted = max(LEAST_BUDGET, limit * 3 // 4)
    report.clamped(steering[-1], f"{fitted} of {limit} tokens are for thoughts, so that an answer fits too")
    thinking = {**thoughts.fields["thinking"], "budget_tokens": fitted}
    return thoughts._replace(fields={**thoughts.fields, "thinking": thinking}, budget=fitted)


def _own(name: str, value: Any, wire: dict[str, Any], report: ParameterReport) -> None:
    """A field of the wire, under its own name or that in snake case."""
    target = OWN_NAMES[name]
    if target != "additionalModelResponseFieldPaths" and not hasattr(value, "items"):
        raise InputTypeError(f"{name} must be a mapping, as Converse has it, not {type(value).__name__}")
    before = wire.get(target)
    wire[target] = {**before, **value} if isinstance(before, dict) else value
    if target == name and before is None:
        report.sent(name)
    else:
        report.renamed(name, target)


def _additional(name: str, value: Any, traits: Traits, wire: dict[str, Any], report: ParameterReport) -> None:
    wire[FIELDS] = {**wire.get(FIELDS, {}), name: value}
    report.renamed(name, f"{FIELDS}.{name}")


def _inference(wire_name: str) -> Callable[[str, Any, Traits, dict[str, Any], ParameterReport], None]:
    def handle(name: str, value: Any, traits: Traits, wire: dict[str, Any], report: ParameterReport) -> None:
        if isinstance(value, int | float) and value > 1:
            report.clamped(name, f"{value} is above the wire's limit; 1 is sent")
            value = 1
        else:
            report.renamed(name, f"inferenceConfig.{wire_name}")
        wire.setdefault("inferenceConfig", {})[wire_name] = value

    return handle


def _top_k(name: str, value: Any, traits: Traits, wire: dict[str, Any], report: ParameterReport) -> None:
    if not traits.top_k:
        report.dropped(name, "the model has no top_k on Bedrock")
        return
    outer, dot, inner = traits.top_k.partition(".")
    wire[FIELDS] = {**wire.get(FIELDS, {}), outer: {inner: value} if dot else value}
    report.renamed(name, f"{FIELDS}.{traits.top_k}")


def _stop(name: str, value: Any, traits: Traits, wire: dict[str, Any], report: ParameterReport) -> None:
    listed = [value] if isinstance(value, str) else list(value)
    # Claude refuses white space alone, every model an empty text.
    kept = [stop for stop in listed if not isinstance(stop, str) or (stop.strip() if traits.claude else stop)]
    reason = "the model takes no stop sequence of white space alone" if traits.claude else "one of them is empty"
    if kept:
        wire.setdefault("inferenceConfig", {})["stopSequences"] = kept
    if len(kept) == len(listed):
        report.renamed(name, "inferenceConfig.stopSequences")
    elif kept:
        report.clamped(name, reason)
    else:
        report.dropped(name, reason)


def _note(name: str, value: Any, traits: Traits, wire: dict[str, Any], report: ParameterReport) -> None:
    if not _METADATA_VALUE.fullmatch(str(value)):
        report.dropped(name, "requestMetadata takes up to 256 letters, digits and :_@$#=/+,.-")
        return
    wire["requestMetadata"] = {**wire.get("requestMetadata", {}), name: str(value)}
    report.renamed(name, f"requestMetadata.{name}")


def _metadata(name: str, value: Any, traits: Traits, wire: dict[str, Any], report: ParameterReport) -> None:
    if not hasattr(value, "items"):
        raise InputTypeError(f"metadata must be a mapping, not {type(value).__name__}")
    kept = {str(key): str(item) for key, item in value.items() if _METADATA_VALUE.fullmatch(str(item))}
    kept = dict(list(kept.items())[:16])
    if kept:
        wire["requestMetadata"] = {**kept, **wire.get("requestMetadata", {})}
    if len(kept) == len(value):
        report.renamed(name, "requestMetadata")
    elif kept:
        report.clamped(name, "requestMetadata takes 16 short plain texts")
    else:
        report.dropped(name, "requestMetadata takes 16 short plain texts")


def _service_tier(name: str, value: Any, traits: Traits, wire: dict[str, Any], report: ParameterReport) -> None:
    if value == "auto":
        report.emulated(name, "the wire's own choice is the default")
    elif value in _TIERS:
        wire["serviceTier"] = {"type": value}
        report.renamed(name, "serviceTier.type")
    else:
        report.dropped(name, f"the wire has {', '.join(_TIERS)}")


def _betas(name: str, value: Any, traits: Traits, wire: dict[str, Any], report: ParameterReport) -> None:
    wire[FIELDS] = {**wire.get(FIELDS, {}), "anthropic_beta": texts(value, name)}
    report.renamed(name, f"{FIELDS}.anthropic_beta")


_HANDLERS: Mapping[str, Callable[[str, Any, Traits, dict[str, Any], ParameterReport], None]] = {
    "temperature": _inference("temperature"),
    "top_p": _inference("topP"),
    "top_k": _top_k,
    "stop": _stop,
    "user": _note,
    "safety_identifier": _note,
    "metadata": _metadata,
    "service_tier": _service_tier,
    "betas": _betas,
}
