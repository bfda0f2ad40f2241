"""Arguments of a call as the fields of a request, and the report of what became of each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hb_gateway_anthropic.sampling import fit_sampling
from hb_gateway_anthropic.structured import Format, response_format
from hb_gateway_anthropic.thinking import LEAST_BUDGET, Thoughts, translate
from hb_gateway_anthropic.tools import tool_fields
from heavenbase.call import REASONING
from heavenbase.errors import InputError, InputTypeError
from heavenbase.http import added_parts, apply_rules, keep_ruled, merge_extra
from heavenbase.types import ParameterEntry, ParameterReport
from heavenbase.wires import LIMITS, REMOVED, named_arguments, texts, token_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_gateway_anthropic.models import Traits
    from heavenbase.call import Call

FILES = "files-api-2025-04-14"
LATE = {
    "clear_at": "mid-conversation-system-clear-at-2026-08-21",
    "output_config": "mid-conversation-output-config-2026-07-01",
    "tool_addition": "mid-conversation-tool-changes-2026-07-01",
    "tool_removal": "mid-conversation-tool-changes-2026-07-01",
}
"""The betas of what system messages between others may say beside text."""
MAX_TOKENS = 8192
"""The wire wants a limit; this is it where nobody names one and that of the model is not known."""

_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_ELSEWHERE = REASONING | {*_TOOLS, *LIMITS, "thinking", "response_format", "prompt_caching"}
_NO_COUNTERPART = "the wire has no such parameter"
# Of other wires; this one refuses what it does not know.
FOREIGN: Mapping[str, str] = {
    "seed": "the wire has no seed",
    "n": "the wire gives one answer",
    **dict.fromkeys(("logprobs", "top_logprobs"), "the wire has no log probabilities"),
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
_NEUTRAL: Mapping[str, Any] = {
    "logit_bias": {},
    **dict.fromkeys(("n", "repetition_penalty"), 1),
    **dict.fromkeys(("logprobs", "store", "include_reasoning"), False),
    **dict.fromkeys(("frequency_penalty", "presence_penalty", "min_p", "top_a", "top_logprobs"), 0),
}
"""Values of those that ask for what the wire does anyhow."""
_TIERS = {"auto": "auto", "standard_only": "standard_only", "default": "standard_only"}


class Fields(NamedTuple):
    """The fields of a request beside model, system and messages; `instruction` is what the system prompt must add."""

    wire: dict[str, Any]
    instruction: str


def message_fields(call: Call, traits: Traits, *, may_think: bool = True) -> Fields:
    """The fields for a call's arguments, `extra_body` merged in; `may_think` as in `thinking.translate`."""
    spec, args, explicit, report = call.spec, call.args, call.explicit, call.context.report
    ruled = ParameterReport()
    named = named_arguments(call)
    named.pop("betas", None)
    apply_rules(spec, named, ruled)
    thoughts = translate(traits, named, explicit, may_think, report)
    wire: dict[str, Any] = {}
    wire["max_tokens"], thoughts = _limit(named, explicit, traits.most_tokens, thoughts, report)
    for name, value in named.items():
        if name in _ELSEWHERE:
            continue
        if name in FOREIGN:
            if name in _NEUTRAL and value == _NEUTRAL[name]:
                report.emulated(name, "the wire does so anyhow")
            else:
                report.dropped(name, FOREIGN[name])
        elif name in _HANDLERS:
            _HANDLERS[name](name, value, wire, report)
        else:
            wire[name] = value
            report.sent(name)
    fit_sampling(wire, traits, thoughts.is_on, explicit, report)
    wire.update(tool_fields(named, traits, thoughts.budget is not None, report))
    form = response_format(call, traits, "response_format" in named)
    _think(wire, thoughts, form)
    apply_rules(spec, wire, report, lambda field: _standing(field, report))
    if thoughts.thinking is not None and "thinking" not in wire and "think" in report.entries:
        report.emulated("think", f"the provider takes no such switch; thoughts are {REMOVED} if they come")
    _overlay(ruled, args, report)
    merge_extra(wire, args, report)
    return Fields(wire, form.instruction)


def headers_and_query(call: Call) -> tuple[dict[str, str], Mapping[str, Any]]:
    """(headers, query) that the caller adds to this request, `betas` among them."""
    headers, query = added_parts(call)
    betas = call.args.get("betas")
    listed = texts(betas or (), "betas")
    listed += [beta for beta in _needed(call) if beta not in listed]
    if listed:
        name = next((name for name in headers if name.lower() == "anthropic-beta"), "anthropic-beta")
        headers[name] = ",".join([*filter(None, [headers.get(name)]), *listed])
    if betas:
        call.context.report.renamed("betas", "anthropic-beta")
    return headers, query


def _needed(call: Call) -> dict[str, None]:
    """The betas that the messages need: for a file that the provider keeps, and for more than text from the system."""
    found: dict[str, None] = {}
    for message in call.messages:
        content, is_system = message["content"], message["role"] in ("system", "developer")
        if is_system and len(message) > 2:
            found.update((beta, None) for name, beta in LATE.items() if message.get(name) is not None)
        for part in content if type(content) is list else ():
            kind = part.get("type")
            held = part.get(kind) or part.get("source")
            if is_system and kind in LATE:
                found[LATE[kind]] = None
            elif "file_id" in part or (isinstance(held, dict) and "file_id" in held):
                found[FILES] = None
    return found


def _limit(
    named: Mapping[str, Any],
    explicit: frozenset[str],
    most: int | None,
    thoughts: Thoughts,
    report: ParameterReport,
) -> tuple[int, Thoughts]:
    """max_tokens and the thoughts, which are fitted into it. Where nobody named a limit it is the model's own.

    Where that is not known, or a default is set, room for thoughts is added.
    """
    limit, is_asked = _asked_limit(named, explicit, report)
    if limit is None and most is not None:
        limit = most
    elif not is_asked:
        limit = MAX_TOKENS if limit is None else limit
        if thoughts.room:
            report.clamped("max_tokens", f"{thoughts.room} are added to {limit}, as room for thoughts")
        return limit + thoughts.room, thoughts
    assert limit is not None
    budget = thoughts.budget
    if budget is None or budget < limit:
        return limit, thoughts
    if thoughts.is_fixed:
        raise InputError(
            f"the budget for thoughts ({budget} tokens) must be below max_tokens ({limit}), which is for thoughts and "
            "answer together"
        )
    steered = "reasoning_effort" if "reasoning_effort" in named else "think"
    if limit <= LEAST_BUDGET:
        for name in ("think", "reasoning_effort"):
            if named.get(name) is not None:
                report.dropped(name, f"max_tokens must be above {LEAST_BUDGET} to leave room for thoughts")
        return limit, Thoughts()
    # A quarter of the tokens stays for the answer, where that can be.
    fitted = max(LEAST_BUDGET, limit * 3 // 4)
    report.clamped(steered, f"{fitted} of {limit} tokens are for thoughts, so that an answer fits too")
    return limit, thoughts._replace(thinking={**(thoughts.thinking or {}), "budget_tokens": fitted})


def _asked_limit(
    named: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> tuple[int | None, bool]:
    """(the limit, None for none; whether the caller named it)."""
    limit = token_limit(named, "max_tokens", report)
    return limit, limit is not None and not explicit.isdisjoint(LIMITS)


def _think(wire: dict[str, Any], thoughts: Thoughts, form: Format) -> None:
    if thoughts.thinking is not None:
        wire["thinking"] = thoughts.thinking
    config: dict[str, Any] = {}
    if thoughts.effort is not None:
        config["effort"] = thoughts.effort
    if form.schema is not None:
        config["format"] = {"type": "json_schema", "schema": form.schema}
    if config:
        own = wire.get("output_config")
        wire["output_config"] = {**config, **own} if isinstance(own, dict) else config


def _stop(name: str, value: Any, wire: dict[str, Any], report: ParameterReport) -> None:
    listed = [value] if isinstance(value, str) else list(value)
    kept = [stop for stop in listed if not isinstance(stop, str) or stop.strip()]
    if kept:
        wire["stop_sequences"] = kept
    if len(kept) == len(listed):
        report.renamed(name, "stop_sequences")
    elif kept:
        report.clamped(name, "the wire takes no stop sequence of white space alone")
    else:
        report.dropped(name, "the wire takes no stop sequence of white space alone")


def _user(name: str, value: Any, wire: dict[str, Any], report: ParameterReport) -> None:
    metadata = wire.setdefault("metadata", {})
    if "user_id" in metadata and metadata["user_id"] != str(value):
        report.dropped(name, "metadata.user_id is given too")
        return
    metadata["user_id"] = str(value)
    report.renamed(name, "metadata.user_id")


def _metadata(name: str, value: Any, wire: dict[str, Any], report: ParameterReport) -> None:
    if not hasattr(value, "items"):
        raise InputTypeError(f"metadata must be a mapping, not {type(value).__name__}")
    if value.keys() == {"user_id"}:
        wire["metadata"] = {**wire.get("metadata", {}), **value}
        report.sent(name)
    elif "user_id" in value:
        wire["metadata"] = {"user_id": value["user_id"]}
        report.clamped(name, "the wire knows user_id alone")
    else:
        report.dropped(name, "the wire knows user_id alone")


def _service_tier(name: str, value: Any, wire: dict[str, Any], report: ParameterReport) -> None:
    if value not in _TIERS:
        report.dropped(name, f"the wire has {' and '.join(sorted(set(_TIERS.values())))}")
        return
    wire[name] = _TIERS[value]
    if wire[name] == value:
        report.sent(name)
    else:
        report.renamed(name, name)


_HANDLERS = {
    "stop": _stop,
    "user": _user,
    "safety_identifier": _user,
    "metadata": _metadata,
    "service_tier": _service_tier,
}


def _standing(field: str, report: ParameterReport) -> list[str]:
    """The parameters that stand in a field of the wire; without a report of them it is the field's own name."""
    found = [e.name for e in report.entries.values() if e.wire is not None and e.wire.partition(".")[0] == field]
    return found or [field]


def _overlay(ruled: ParameterReport, args: Mapping[str, Any], report: ParameterReport) -> None:
    """What the provider's rules did to hb's names counts, unless the wire lost more of it."""
    for name, entry in ruled.entries.items():
        if entry.outcome == "renamed" and entry.wire not in args:
            # What became of the new name, which the caller never gave, became of his.
            told = report.entries.pop(str(entry.wire), entry)
            outcome = "renamed" if told.outcome == "sent" else told.outcome
            entry = ParameterEntry(name, outcome, told.wire, told.reason)
        keep_ruled({name: entry}, report)
