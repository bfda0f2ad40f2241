"""Arguments of a call as the fields of a request, and the report of what became of each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.dialects import BY_DEFAULT, translate
from hb_wire_openai.messages import taken_by
from heavenbase.call import REASONING
from heavenbase.http import EXTRAS, apply_rules, merge_extra
from heavenbase.wires import REMOVED, given_tools, nearest_step, note_tools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterReport


_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
_BESIDE = REASONING | EXTRAS
"""Arguments that are no fields of their own."""


def chat_fields(
    spec: LLMSpec,
    args: Mapping[str, Any],
    explicit: frozenset[str],
    report: ParameterReport,
    *,
    tools: frozenset[str] = frozenset(),
    has_groups: bool = False,
) -> dict[str, Any]:
    """The fields of a chat request beside model and messages, `extra_body` merged in.

    `tools` are attributes of tools that the wire takes beside those of the chat wire; with `has_groups` tools may stand
    in groups.
    """
    wire = {name: value for name, value in args.items() if value is not None and name not in _BESIDE}
    report.sent(*wire)
    if "prompt_caching" in wire:
        if wire.pop("prompt_caching") is False:
            report.emulated("prompt_caching", "nothing is marked")
        else:
            report.dropped("prompt_caching", "the model reads no marks there; long prompts are cached anyway")
    if "wire_include" in wire:
        del wire["wire_include"]
        report.dropped("wire_include", "it is for the Responses wire: gateway='responses'")
    if not _TOOLS.isdisjoint(wire):
        given = given_tools(wire, report, has_groups=has_groups)
        if given:
            taken = taken_by(spec)
            wire["tools"] = [_tool(t) for t in note_tools(given, taken._replace(tools=taken.tools | tools), report)]
        else:
            for name in _TOOLS:
                wire.pop(name, None)
    if not REASONING.isdisjoint(args):
        for name, value in translate(spec, args, explicit, report).items():
            own = wire.get(name)
            # What the caller says of thinking in the provider's own words counts.
            wire[name] = {**value, **own} if isinstance(value, dict) and isinstance(own, dict) else value
        _fit_step(spec, wire, report)
    # What stands for `think` there is no argument of the caller's.
    apply_rules(spec, wire, report, lambda field: (field,) if field in report.entries else ())
    if "think" in report.entries:
        _check_switch(wire, report, off=args.get("think") is False)
    merge_extra(wire, args, report)
    return wire


def _tool(tool: Any) -> Any:
    """A tool that takes free text as the chat wire has it, where it was given as the Responses wire does."""
    if not isinstance(tool, dict) or tool.get("type") != "custom" or "name" not in tool or "input_schema" in tool:
        return tool
    inner = {name: value for name, value in tool.items() if name != "type"}
    form = inner.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar" and "grammar" not in form:
        inner["format"] = {"type": "grammar", "grammar": {k: v for k, v in form.items() if k != "type"}}
    return {"type": "custom", "custom": inner}


def stream_fields(spec: LLMSpec, wire: dict[str, Any]) -> None:
    """Ask for a stream, and for its usage where the provider has that."""
    wire["stream"] = True
    if spec.capability("stream_usage") is not False:
        options = wire.get("stream_options")
        wire["stream_options"] = {"include_usage": True, **(options if isinstance(options, dict) else {})}
    else:
        wire.pop("stream_options", None)


def _fit_step(spec: LLMSpec, wire: dict[str, Any], report: ParameterReport) -> None:
    """Keep the step of thinking within those that model or provider declare."""
    holder = wire.get("reasoning", wire)
    name = "effort" if "reasoning" in wire else "reasoning_effort"
    step = holder.get(name)
    if step is None:
        return
    steps = spec.capability("reasoning_efforts")
    if steps is False:
        del holder[name]
        if "reasoning_effort" in report.entries:
            report.dropped("reasoning_effort", "the model has no steps of thinking")
    elif isinstance(steps, list) and steps and step not in steps:
        nearest = nearest_step(step, steps)
        holder[name] = nearest
        if "reasoning_effort" in report.entries:
            report.clamped("reasoning_effort", f"the model has {', '.join(steps)}; {nearest} is sent")


def _check_switch(wire: dict[str, Any], report: ParameterReport, *, off: bool) -> None:
    # The rules may have taken the switch away again, or turned it into the weakest step.
    entry = report.entries["think"]
    if entry.outcome != "renamed" or entry.wire is None:
        return
    name = entry.wire.partition(".")[0]
    if off and (name not in wire or (name == "reasoning_effort" and wire[name] != "none")):
        report.emulated("think", f"the model cannot be told not to think; {REMOVED}")
    elif name not in wire:
        report.emulated("think", BY_DEFAULT)
