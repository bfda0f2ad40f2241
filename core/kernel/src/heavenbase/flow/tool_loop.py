"""The tool loop: ask, run the tools that the model calls, ask again; one flow for both colours and for streams.

And where a chat goes on that waits for results of its calls.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from heavenbase.call import Call, Kept, Resumption
from heavenbase.errors import HBError, InputError, InputTypeError, ToolArgsError, UnknownNameError
from heavenbase.flow.unfolding import with_calls
from heavenbase.messages import to_messages
from heavenbase.tools.base import Decision
from heavenbase.tools.options import is_forced, schema_names
from heavenbase.tools.runs import ToolRuns
from heavenbase.types import Chunk, Completion, Message, ParameterReport, ToolCall, Usage

MAX_TURNS = 8


@dataclass(frozen=True, slots=True)
class ToolRound:
    """What `on_round` is told after each round: its number (from 1), the answer that asked, the messages of results."""

    turn: int
    max_turns: int
    answer: Completion
    results: list[Message]


async def answer_with_tools(call: Call, ask: Callable[[Call], Awaitable[Completion]]) -> Completion:
    """The answer of a chat whose tools are run here; `ask` gets the answer to one request.

    A resumed chat answers the open calls of its messages first.
    """
    loop = ToolLoop(call)
    try:
        if call.resumed is not None and not await loop.resume(call.resumed):
            return loop.finish()
        while True:
            if not await loop.take(await ask(loop.request())):
                return loop.finish()
    except HBError as error:
        error.partial = loop.partial(error.partial)
        raise


async def stream_with_tools(
    call: Call, ask: Callable[[Call], AsyncGenerator[Chunk, None]]
) -> AsyncGenerator[Chunk, None]:
    """The chunks of every round as they come, a chunk of kind "round" between two of them; then the whole answer.

    `ask` streams the answer to one request.
    """
    loop = ToolLoop(call)
    try:
        goes_on = call.resumed is None or await loop.resume(call.resumed)
        while goes_on:
            if loop.latest:
                yield Chunk(kind="round", messages=loop.latest)
            answer: Completion | None = None
            chunks = ask(loop.request())
            try:
                async for chunk in chunks:
                    if chunk.kind == "end":
                        answer = chunk.completion
                    else:
                        yield chunk
            finally:
                await chunks.aclose()
            assert answer is not None
            goes_on = await loop.take(answer)
        if loop.truncated:
            yield Chunk(text=loop.note)
        yield Chunk(kind="end", completion=loop.finish())
    except HBError as error:
        error.partial = loop.partial(error.partial)
        raise


class ToolLoop:
    """One conversation with tools: what was said, what was called, what it cost."""

    def __init__(self, call: Call) -> None:
        limit = call.controls.get("max_tool_turns")
        self.call = call
        self.limit: int = MAX_TURNS if limit is None else limit
        self.turns = 0
        self.truncated = False
        self.latest: list[Message] = []
        self._runs = ToolRuns(call.tools, call.controls, is_async=call.is_async)
        self._schema_only = schema_names(call.args.get("tools") or ()) - call.tools.keys()
        self._messages = list(call.messages)
        self._delta: list[Message] = []
        self._calls: list[ToolCall] = []
        self._pending: list[ToolCall] = []
        self._usage: Usage | None = None
        self._answer = Completion()
        self._reports: list[ParameterReport] = []

    @property
    def note(self) -> str:
        """What is added to the text of an answer that ended on the budget."""
        count = len(self._pending)
        calls = f"{count} tool call{'s' if count > 1 else ''} not run"
        turns = f"{self.limit} tool turn{'s' if self.limit != 1 else ''}"
        return f"{' ' if self._answer.text else ''}[incomplete: stopped after {turns}, {calls}]"

    def request(self) -> Call:
        """The next request: the conversation so far, with clocks of its own and the ledger of the whole call."""
        context = self.call.context
        started = context.clock()
        total = context.timeouts.total
        report = context.report if not self._reports else ParameterReport(strange=context.report.strange)
        self._reports.append(report)
        fresh = replace(
            context, started=started, deadline=started + total if total is not None else None, report=report
        )
        args: Mapping[str, Any] = self.call.args
        if (self._delta or len(self._reports) > 1) and is_forced(args.get("tool_choice")):
            # A choice that is forced in every round would never let the model answer.
            args = {name: value for name, value in args.items() if name != "tool_choice"}
        return self.call.replace(context=fresh, messages=list(self._messages), args=args, resumed=None)

    async def take(self, answer: Completion) -> bool:
        """Run what an answer calls; whether another request follows."""
        self._answer = answer
        self._add(answer.message)
        self._usage = Usage.total(self._usage, answer.usage)
        self._calls += answer.tool_calls
        # An answer that was cut off or filtered may hold half a call: none of it is run.
        self._pending = answer.pending
        if not answer.tool_calls or answer.finish_reason != "tool_calls":
            return False
        if self.turns >= self.limit and any(call.name not in self._schema_only for call in answer.tool_calls):
            self.truncated = True
            return False
        return await self._round(answer.tool_calls)

    async def resume(self, resumed: Resumption) -> bool:
        """Answer the open calls that end the messages; whether another request follows."""
        self.turns = resumed.turns
        spec = self.call.spec
        self._answer = Completion(
            finish_reason="tool_calls", model=spec.model_id, provider=spec.provider, gateway=spec.gateway
        )
        return await self._round(resumed.calls, resumed.decided)

    async def _round(self, calls: Sequence[ToolCall], decided: Mapping[str, Any] | None = None) -> bool:
        decided = decided or {}
        mine = [call for call in calls if call.name not in self._schema_only or call.id in decided]
        try:
            results = dict(zip(map(id, mine), await self._runs.run(mine, decided), strict=True))
        except ToolArgsError as error:
            self._pending, error.partial = list(calls), self._answer
            raise
        said = [(call, results.get(id(call))) for call in calls]
        messages: list[Message] = [
            {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content}
            for call, content in said
            if content is not None
        ]
        self._pending = [call for call, content in said if content is None]
        self.latest = [*self._delta[-1:], *messages]
        for message in messages:
            self._add(message)
        if messages:
            self.turns += 1
            await self._tell(messages)
        return not self._pending

    async def _tell(self, messages: list[Message]) -> None:
        on_round = self.call.controls.get("on_round")
        if on_round is not None:
            heard = on_round(ToolRound(self.turns, self.limit, self._answer, messages))
            if self.call.is_async and hasattr(heard, "__await__"):
                await heard

    def _add(self, message: Message) -> None:
        self._messages.append(message)
        self._delta.append(message)

    def finish(self) -> Completion:
        """The whole answer."""
        context = self.call.context
        text = self._answer.text
        if self.truncated:
            text += self.note
            self._delta[-1] = self._messages[-1] = {**self._messages[-1], "content": text}
        return replace(
            self._whole(self._answer),
            text=text,
            created_at=context.created_at,
            elapsed=context.clock() - context.started,
            report=self._report(),
            attempts=context.attempts,
        )

    def partial(self, last: Completion | None) -> Completion | None:
        """What there is of the answer when a round fails: nothing is lost of the rounds before it."""
        return self._whole(last or Completion()) if self._delta else last

    def _whole(self, last: Completion) -> Completion:
        return replace(
            last,
            tool_calls=self._calls if last is self._answer else [*self._calls, *last.tool_calls],
            usage=self._usage if last is self._answer else Usage.total(self._usage, last.usage),
            delta=self._delta,
            messages=self._messages,
            tool_turns=self.turns,
            max_tool_turns=self.limit,
            truncated=self.truncated,
            pending=list(self._pending),
            _call=Kept(self.call) if self._pending else None,
        )

    def _report(self) -> ParameterReport:
        merged = ParameterReport(stack=self._reports[-1].stack if self._reports else ())
        for report in reversed(self._reports):
            merged.entries.update(report.entries)
        for report in self._reports:
            merged.entries.update((entry.name, entry) for entry in report.lossy())
        return merged


# Where a chat goes on that waits for results of tool calls


def resumption(source: Any, results: Any) -> tuple[Call | None, list[Message], Resumption]:
    """The call that a Completion came from, its messages, and the answers to the tool calls open at their end.

    For messages, and where it is not known any more, the call is None. InputError when a call has no answer,
    UnknownNameError for an answer without a call.
    """
    if results is not None and not isinstance(results, Mapping):
        raise InputTypeError(f"results are a mapping of results by id of the call, not {type(results).__name__}")
    answer = source if isinstance(source, Completion) else Completion(messages=source)
    messages = with_calls(to_messages(answer.messages))
    known = {call.id: call for call in answer.pending}
    calls = [known.get(call.id, call) for call in open_calls(messages)]
    if not calls:
        raise InputError("no tool call waits for a result")
    ids = [call.id for call in calls]
    decided = dict(results or {})
    for name in decided:
        if name not in ids:
            raise UnknownNameError("waiting tool call", name, ids)
    missing = [f"{call.id!r} ({call.name})" for call in calls if call.id not in decided]
    if missing:
        raise InputError(f"no result for tool call {', '.join(missing)}; give it, or hb.RUN, or hb.REFUSE")
    kept: Kept | None = answer._call
    return kept.call if kept is not None else None, messages, Resumption(calls, decided, answer.tool_turns)


def check_resumed(call: Call) -> None:
    """InputError when somebody let an open call run whose tool the call does not have."""
    assert call.resumed is not None
    for waiting in call.resumed.calls:
        if isinstance(call.resumed.decided[waiting.id], Decision) and waiting.name not in call.tools:
            raise InputError(f"no tool {waiting.name!r} runs here; pass tools=, or the result of call {waiting.id!r}")


def open_calls(messages: list[Message]) -> list[ToolCall]:
    """The calls of the last assistant message that have no result; none when anything but results came after it."""
    answered = set()
    for message in reversed(messages):
        if message["role"] == "tool":
            answered.add(message["tool_call_id"])
        elif message["role"] == "assistant":
            found = [(call["id"], call["function"]) for call in message.get("tool_calls") or ()]
            return [ToolCall(id, made["name"], made["arguments"]) for id, made in found if id not in answered]
        else:
            break
    return []
