"""LLMSession: a conversation that remembers itself, with tools, undo, files to save it in, a log to resume from."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from heavenbase.errors import HBError, InputError, UnsupportedError
from heavenbase.ledger import Cost, cost_of
from heavenbase.llm import LLM
from heavenbase.messages import to_message, to_messages
from heavenbase.projection import CHAT, STREAM, names_of, project
from heavenbase.session import files as files
from heavenbase.tools.base import Tool, to_tools
from heavenbase.types import Chunk, Completion, Message, Usage
from heavenbase.wires.order import NOT_RUN

if TYPE_CHECKING:
    from heavenbase.tools.mcp import MCPTools

ITEMS: Final = ("chunk", "completion")


class LLMSession:
    """A conversation with one LLM: each `send` adds what was asked and all that was answered, or nothing on an error.

    `messages` begin it, `system` is its system message, `tools` are used in every turn. `log` is a JSONL file that
    notes every change as it happens; `load` goes on from one. `last` is the Completion of the last turn, `usage` and
    `cost` are the tokens and the money of all turns (None where those of one are not known), `id` names the session to
    budgets. A session is not for several threads at once.
    """

    def __init__(
        self,
        llm: LLM | None = None,
        messages: Any = None,
        tools: Any = None,
        *,
        system: str | None = None,
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        self.llm = LLM() if llm is None else llm
        self.tools: list[Tool] = to_tools(tools)
        self.last: Completion | None = None
        self.usage: Usage | None = None
        self.cost: Cost | None = None
        self.id = os.urandom(8).hex()
        self._turns = 0
        self._kits: list[MCPTools] = []
        self._messages: list[Message] = to_messages(messages) if messages else []
        self._log: files.Log | None = None
        if system is not None:
            self.system = system
        if log is not None:
            self._log = files.Log(log)
            self._log.begin(self.to_dict())

    def __repr__(self) -> str:
        return f"LLMSession({self.llm!r}, {len(self.messages)} messages, {len(self.tools)} tools)"

    # What is known

    @property
    def messages(self) -> list[Message]:
        """The whole conversation."""
        return self._messages

    @messages.setter
    def messages(self, messages: Any) -> None:
        self._replace(to_messages(messages) if messages else [])

    @property
    def system(self) -> str | None:
        """The text of the system message; None without one."""
        first = self._messages[0] if self._messages else None
        return first["content"] if first is not None and first["role"] == "system" else None

    @system.setter
    def system(self, text: str | None) -> None:
        self._replace(self._with_system(text))

    @property
    def pending(self) -> list[Any]:
        """The tool calls at the end of the conversation that wait for a result."""
        from heavenbase.flow.tool_loop import open_calls  # on use: it brings all that runs tools

        return open_calls(self.messages)

    def list_tools(self) -> list[str]:
        """The names of the tools."""
        return [tool.name for tool in self.tools]

    def add_tools(self, tools: Any) -> None:
        """Use more tools, from the next turn on; InputError for a name that is taken."""
        self.tools = to_tools([*self.tools, *to_tools(tools)])

    add_tool = add_tools

    def add_mcp(self, source: Any, **settings: Any) -> list[str]:
        """Use the tools of an MCP server as well, until `close`; their names. The arguments are those of `MCPTools`."""
        from heavenbase.tools.mcp import MCPTools

        kit = MCPTools(source, **settings)
        try:
            self.add_tools(kit)
        except BaseException:
            kit.close()
            raise
        self._kits.append(kit)
        return list(kit.tools)

    def close(self) -> None:
        """End the connections of `add_mcp`; the session itself needs no end."""
        while self._kits:
            self._kits.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Turns

    def send(self, prompt: Any, include: Any = None, reduce: bool = True, **options: Any) -> Any:
        """Ask, and remember; the assistant's last message, or what `include` names (as in `LLM.chat`).

        `prompt` is a text, a message or several. Among the options `system` becomes the system message, once, and
        `images` go with the prompt.
        """
        names = names_of(include, CHAT, "message", reduce)
        turn = self._turn(prompt, options)
        with self._paying():
            answer = self.llm.complete(turn.messages, **options)
        return project(self._learn(turn, answer), names, CHAT, reduce=reduce)

    async def asend(self, prompt: Any, include: Any = None, reduce: bool = True, **options: Any) -> Any:
        """Async form of `send`."""
        names = names_of(include, CHAT, "message", reduce)
        turn = self._turn(prompt, options)
        with self._paying():
            answer = await self.llm.acomplete(turn.messages, **options)
        return project(self._learn(turn, answer), names, CHAT, reduce=reduce)

    def stream(self, prompt: Any, include: Any = None, **options: Any) -> Iterator[Any]:
        """Ask, and yield the text (or what one name of `include` says of each chunk) as it comes.

        Leaving the loop ends the answer there: what had come is remembered.
        """
        read = _reader(include)
        turn = self._turn(prompt, options)
        return self._stream(turn, self.llm.stream(turn.messages, ITEMS, **options), read)

    def astream(self, prompt: Any, include: Any = None, **options: Any) -> AsyncIterator[Any]:
        """Async form of `stream`."""
        read = _reader(include)
        turn = self._turn(prompt, options)
        return self._astream(turn, self.llm.astream(turn.messages, ITEMS, **options), read)

    def resume(self, results: Mapping[str, Any] | None = None, **options: Any) -> Completion:
        """Go on with the `pending` tool calls, answered as in `LLM.resume`."""
        source = self._paused(options)
        with self._paying():
            answer = self.llm.resume(source, results, **options)
        return self._learn(_Turn(self.messages, []), answer)

    async def aresume(self, results: Mapping[str, Any] | None = None, **options: Any) -> Completion:
        """Async form of `resume`."""
        source = self._paused(options)
        with self._paying():
            answer = await self.llm.aresume(source, results, **options)
        return self._learn(_Turn(self.messages, []), answer)

    # Changes

    def back(self, turns: int = 1) -> list[Message]:
        """Forget the last turns: what the user said and all after it; returns what was forgotten, oldest first."""
        start = len(self.messages)
        for place in range(start - 1, -1, -1):
            if turns > 0 and self.messages[place]["role"] == "user":
                start, turns = place, turns - 1
        forgotten = self.messages[start:]
        self._replace(self.messages[:start])
        return forgotten

    undo = back

    def regenerate(self, seed: int | None = None, **options: Any) -> Any:
        """Ask the last question again, past the cache, with a seed or with none; returns as `send`."""
        before = list(self.messages)
        try:
            return self.send(self.take_back(), seed=seed, **{"cache": False, **options})
        except BaseException:
            self._replace(before)
            raise

    def take_back(self) -> list[Message]:
        """Forget the last turn, for the question to be asked again; returns the question. InputError without one."""
        forgotten = self.back()
        if not forgotten:
            raise InputError("nothing was asked yet")
        return [message for message in forgotten[:1] if message["role"] == "user"]

    def clear(self) -> None:
        """Forget all but the system message."""
        self._replace(self.messages[:1] if self.system is not None else [])

    def append_assistant(self, content: Any) -> None:
        """Add an answer that was not asked for here: a text, or a message."""
        message = {"role": "assistant", "content": content} if isinstance(content, str) else content
        self._extend([to_message(message)])

    # Files

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data: names and arguments of the LLM, messages, schemas of the tools; no key, no URL."""
        return files.pack(self.llm, self.messages, self.tools)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], llm: LLM | None = None, tools: Any = None, **settings: Any) -> Self:
        """The session of `to_dict`; `tools` bring back what runs. One that is missing is left out, with a warning."""
        made, messages, found = files.unpack(data, llm, to_tools(tools))
        return cls(made, messages, found, **settings)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_dict` to a file that only its owner may read; images are in it, unless they are URLs."""
        files.write(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str], llm: LLM | None = None, tools: Any = None) -> Self:
        """The session of a file of `save`, or of a log, which is gone on with."""
        data, is_log = files.read(path)
        session = cls.from_dict(data, llm, tools)
        if is_log:
            session._log = files.Log(path)
        return session

    # Within

    def _turn(self, prompt: Any, options: dict[str, Any]) -> _Turn:
        if self.llm._in_background(options):
            raise UnsupportedError("a session waits for its answers; background=True is for LLM.complete and LLM.chat")
        self._name(options)
        asked = to_messages(prompt, images=options.pop("images", None))
        before = self._with_system(options.pop("system", None) or self.system)
        if self.tools:
            options.setdefault("tools", self.tools)
        # A model wants a result for each of its calls before anything else is said.
        closing = [
            {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": NOT_RUN} for call in self.pending
        ]
        return _Turn(before, [*closing, *asked])

    def _name(self, options: dict[str, Any]) -> None:
        """Say whose call it is, unless the caller does."""
        if "session" not in self.llm.spec.args:
            options.setdefault("session", self.id)

    def _spend(self, usage: Usage | None, cost: Cost | None) -> None:
        self.usage = Usage.total(self.usage, usage)
        self.cost = Cost.total((self.cost, cost)) if self._turns else cost
        self._turns += 1

    @contextmanager
    def _paying(self) -> Iterator[None]:
        """Count what was answered before a turn failed."""
        try:
            yield
        except HBError as error:
            used = [attempt.usage for attempt in error.attempts if attempt.usage is not None]
            if used:
                self._spend(Usage.total(*used), cost_of(error.attempts))
            raise

    def _paused(self, options: dict[str, Any]) -> Any:
        self._name(options)
        if self.last is not None and self.last.pending:
            return self.last
        if self.tools:
            options.setdefault("tools", self.tools)
        return self.messages

    def _learn(self, turn: _Turn, answer: Completion) -> Completion:
        said = answer.delta
        if (limits := answer.rate_limits) is not None and said:
            said = [*said[:-1], {**said[-1], "rate_limits": limits.to_dict()}]
        self._remember(turn, said)
        self.last = answer
        self._spend(answer.usage, answer.cost)
        return answer

    def _remember(self, turn: _Turn, said: list[Message]) -> None:
        if turn.before is not self.messages:
            self._replace(turn.before)
        self._extend([*turn.asked, *said])

    def _stream(self, turn: _Turn, items: Any, read: Any) -> Iterator[Any]:
        with closing(items), self._listening(turn):
            for item in items:
                turn.feed(item)
                yield from read(item["chunk"])

    async def _astream(self, turn: _Turn, items: Any, read: Any) -> AsyncIterator[Any]:
        async with aclosing(items):
            with self._listening(turn):
                async for item in items:
                    turn.feed(item)
                    for value in read(item["chunk"]):
                        yield value

    @contextmanager
    def _listening(self, turn: _Turn) -> Iterator[None]:
        """Remember what a stream brings: the answer at its end, or as far as it came when the user leaves it."""
        try:
            with self._paying():
                yield
        except (GeneratorExit, KeyboardInterrupt):
            self._spend(None, None)
            if said := turn.said():
                self._remember(turn, said)
                self.last = None
            raise
        if turn.answer is not None:
            self._learn(turn, turn.answer)

    def _with_system(self, text: str | None) -> list[Message]:
        """The messages with this system message, or with none; the list itself where that is no change."""
        if text == self.system:
            return self.messages
        rest = self.messages[1:] if self.system is not None else self.messages
        return [*([{"role": "system", "content": text}] if text else []), *rest]

    def _extend(self, messages: list[Message]) -> None:
        self._messages.extend(messages)
        if self._log is not None:
            self._log.add(messages)

    def _replace(self, messages: list[Message]) -> None:
        before: list[Any] = self._messages
        pairs = enumerate(zip(before, messages, strict=False))
        kept = next((place for place, (old, new) in pairs if old != new), min(len(before), len(messages)))
        self._messages = list(messages)
        if self._log is not None:
            self._log.cut(kept)
            self._log.add(messages[kept:])
        self.last = None


@dataclass(slots=True, eq=False, repr=False)
class _Turn:
    """What is asked now, `asked`, behind the conversation so far, `before`; fed with the stream of the answer."""

    before: list[Message]
    asked: list[Message]
    answer: Completion | None = None
    rounds: list[Message] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    @property
    def messages(self) -> list[Message]:
        """The whole of it, as it is sent."""
        return [*self.before, *self.asked]

    def feed(self, item: Mapping[str, Any]) -> None:
        """Take an item of a stream of chunks or, at its end, the completion."""
        self.answer = item["completion"]
        chunk: Chunk | None = item["chunk"]
        if chunk is None:
            return
        if chunk.kind == "round":
            self.rounds += chunk.messages or []
        if chunk.kind in ("round", "restart"):
            self.text.clear()
        if chunk.text:
            self.text.append(chunk.text)

    def said(self) -> list[Message]:
        """What there is to remember of an answer that the user ended: whole rounds of tools, text as far as it came."""
        text = "".join(self.text)
        return [*self.rounds, *([{"role": "assistant", "content": text}] if text else [])]


def _reader(include: Any) -> Callable[[Chunk | None], tuple[Any, ...]]:
    """What one name says of a chunk, as the values to yield: none where it says nothing."""
    names = names_of(include, STREAM, "text")
    if len(names) != 1:
        raise InputError(f"a session streams one thing; include one of {', '.join(STREAM)}")
    read = STREAM[names[0]]

    def values(chunk: Chunk | None) -> tuple[Any, ...]:
        value = read(chunk) if chunk is not None else None
        return (value,) if value not in ("", None, [], {}) else ()

    return values
