"""What is told of an answer: the JSON object of --json, and the lines of --verbose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_cli import output
from hb_cli.money import money
from hb_cli.tools import show_results

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.call import Call
    from heavenbase.ledger import Cost
    from heavenbase.types import Attempt, Chunk, Completion, Usage


def completion_data(answer: Completion) -> dict[str, Any]:
    """A chat's answer as plain data."""
    return {
        "text": answer.text,
        "think": answer.reasoning,
        "tool_calls": [call.to_dict() for call in answer.tool_calls],
        "images": [image.to_dict() for image in answer.images],
        "finish_reason": answer.finish_reason,
        **call_data(answer),
        "cached": answer.cached,
        "id": answer.id,
        "request_id": answer.request_id,
    }


def call_data(answer: Any) -> dict[str, Any]:
    """What every kind of answer has: who answered, usage, cost, seconds, attempts, parameters."""
    return {
        "model": answer.model,
        "provider": answer.provider,
        "gateway": answer.gateway,
        "usage": answer.usage.to_dict() if answer.usage is not None else None,
        "cost": answer.cost.to_dict() if answer.cost is not None else None,
        "elapsed": answer.elapsed,
        "attempts": [attempt.to_dict() for attempt in answer.attempts],
        "report": answer.report.to_dict() if answer.report is not None else {},
    }


def chunk_data(chunk: Chunk) -> dict[str, Any]:
    """A piece of a streamed answer as plain data: `kind`, and what it brings."""
    data = {name: value for name, value in chunk.to_dict().items() if name != "raw" and value not in ("", [])}
    return {"kind": data.pop("kind"), **data}


def note_ending(answer: Completion) -> None:
    """Say on standard error when an answer is not whole, or holds what text cannot show."""
    from heavenbase.gather import UNFINISHED, WHOLE

    if answer.finish_reason not in WHOLE:
        output.warn(UNFINISHED.get(answer.finish_reason, f"the answer ended with {answer.raw_finish_reason!r}"))
    if answer.pending:
        names = ", ".join(call.name for call in answer.pending)
        output.warn(f"the model asks to call {names}; --json shows the arguments")
    if answer.images:
        output.warn(f"the answer holds {len(answer.images)} image(s); --json shows them")


def note_call(answer: Any, call: Call) -> None:
    """The lines of --verbose, on standard error."""
    spec = call.spec
    cached = ", from the cache" if getattr(answer, "cached", False) else ""
    seconds = f", {answer.elapsed:.2f} s" if answer.elapsed is not None else ""
    output.note(f"{answer.model or spec.model_id} by {spec.provider} over {spec.gateway}{seconds}{cached}", output.DIM)
    output.note(usage_line(answer.usage), output.DIM)
    if answer.cost is not None:
        output.note(cost_line(answer.cost), output.DIM)
    for line in attempt_lines(answer.attempts):
        output.note(line, output.DIM)
    lossy = answer.report.lossy() if answer.report is not None else []
    for entry in lossy:
        output.note(f"{entry.name} was {entry.outcome}: {entry.reason}", output.DIM)


def usage_line(usage: Usage | None) -> str:
    """The known token counts in words."""
    if usage is None:
        return "usage unknown"
    buckets = ("input", "cache_read", "cache_write", "output", "reasoning", "audio", "image")
    counts = ", ".join(f"{name} {getattr(usage, name)}" for name in buckets if getattr(usage, name) is not None)
    return f"tokens: {counts or 'unknown'}"


def cost_line(cost: Cost) -> str:
    """What was paid, in words, and whose figure it is."""
    whose = ", ".join(filter(None, (cost.source, cost.date)))
    return f"cost: {money(cost.to_dict())}{f' ({whose})' if whose else ''}"


def attempt_lines(attempts: Iterable[Attempt]) -> list[str]:
    """The ledger, one line per request."""
    lines = []
    for number, attempt in enumerate(attempts, 1):
        ending = f"failed: {attempt.error}" if attempt.error else "answered"
        seconds = f" after {attempt.elapsed:.2f} s" if attempt.elapsed is not None else ""
        identity = f", request id {attempt.request_id}" if attempt.request_id else ""
        status = f", status {attempt.status}" if attempt.status is not None else ""
        cost = f", {money(attempt.cost.to_dict())}" if attempt.cost is not None else ""
        lines.append(f"attempt {number}: {attempt.provider}/{attempt.model} {ending}{seconds}{status}{identity}{cost}")
    return lines


def show_chunk(chunk: Chunk, text: output.TextStream, reasoning: output.TextStream, *, think: bool) -> None:
    """Print a piece of a streamed answer: its text, its thoughts if they are wanted, and what its tools answered."""
    if chunk.kind == "restart":
        text.finish()
        output.warn("the answer begins again; what came before is void")
    if chunk.kind == "round":
        text.finish()
        show_results(chunk)
    if chunk.finish_reason is not None:
        text.settle()  # a question whether a tool may run could follow
    if think and chunk.reasoning:
        text.settle()
        reasoning.write(chunk.reasoning)
    if chunk.text:
        reasoning.finish()
        text.write(chunk.text)
