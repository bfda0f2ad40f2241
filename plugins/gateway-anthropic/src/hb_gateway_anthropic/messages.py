"""Messages of hb as the system prompt and the messages of this wire. Pure.

System messages are lifted out, wherever they stand, unless the model takes late ones in their place. Messages of one
role in a row become one, with the results of tools first. What a model wrote goes back block by block, verbatim, to
the provider it came from; the thoughts of others stay behind.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hb_gateway_anthropic.parts import block_of, blocks_of, text_block, without_blanks
from hb_gateway_anthropic.replay import kept_blocks, thoughts_of
from hb_gateway_anthropic.toolids import ToolIds
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from hb_gateway_anthropic.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import Message

Block = dict[str, Any]

_FAILED = ('{"ok": false', '{"ok":false')
"""How the result of a tool begins that hb ran and that failed."""


def wire_messages(call: Call, traits: Traits) -> tuple[str | list[Block] | None, list[Message]]:
    """(system, messages) of a call; what cannot travel is noted in the call's report."""
    writer = _Writer(call, traits)
    for place, message in enumerate(call.messages):
        writer.add(message, place)
    return writer.finish()


def joined_system(blocks: list[Block]) -> str | list[Block] | None:
    """A system prompt: plain texts as one, blocks where one of them carries more than text."""
    if not blocks:
        return None
    if all(block.keys() == {"type", "text"} for block in blocks):
        return "\n\n".join(block["text"] for block in blocks)
    return blocks


class _Writer:
    """The messages so far."""

    def __init__(self, call: Call, traits: Traits) -> None:
        self._spec = call.spec
        self._report = call.context.report
        self._traits = traits
        self._ids = ToolIds()
        self._system: list[Block] = []
        self._late: list[Block] = []
        self._messages: list[Message] = []

    def add(self, message: Message, place: int) -> None:
        """Take one message."""
        role = message["role"]
        if role in ("system", "developer"):
            self._add_system(message, place)
        elif role == "assistant":
            blocks = self._assistant(message, place)
            if blocks:
                self._place_late()
                self._append("assistant", blocks)
        elif role == "tool":
            self._add_result(message, place)
        elif role == "user":
            content = message["content"]
            said = content if isinstance(content, str) else blocks_of(content, place)
            if not said:
                raise InputError(f"message {place} (role user) is empty; this wire takes no empty messages")
            self._append("user", said)
        else:
            raise InputError(f"message {place} has the role {role!r}, whose results name no call; use the role tool")
        if message.get("name") and role != "tool":
            self._report.dropped("name", "the wire has no names of speakers")

    def finish(self) -> tuple[str | list[Block] | None, list[Message]]:
        """The system prompt and the messages."""
        self._place_late()
        if not self._messages:
            raise InputError("there is no message of a user; this wire needs one beside the system prompt")
        last = self._messages[-1]
        if last["role"] == "assistant":
            self._trim(last)
        return joined_system(self._system), self._messages

    # Roles

    def _add_system(self, message: Message, place: int) -> None:
        blocks = blocks_of(message["content"], place)
        if any(block["type"] != "text" for block in blocks):
            raise InputError(f"message {place} (role {message['role']}) has a part that is no text")
        if not self._messages:
            self._system += blocks
        elif self._traits.takes_late_system:
            self._late += blocks
        else:
            self._lift(blocks)

    def _lift(self, blocks: list[Block]) -> None:
        self._system += blocks
        self._report.emulated("system", "late system messages are lifted into the system prompt")

    def _place_late(self) -> None:
        """Put waiting system messages behind the user's turn, the only place where the wire takes them."""
        if not self._late:
            return
        if self._messages[-1]["role"] == "user":
            self._messages.append({"role": "system", "content": self._late})
        else:
            self._lift(self._late)
        self._late = []

    def _add_result(self, message: Message, place: int) -> None:
        block: Block = {"type": "tool_result", "tool_use_id": self._ids.of_result(message["tool_call_id"])}
        content = message["content"]
        if isinstance(content, str):
            if content:
                block["content"] = content
        else:
            found = without_blanks([block_of(part, place) for part in content])
            if found:
                block["content"] = found
        if message.get("is_error") or (isinstance(content, str) and content.startswith(_FAILED)):
            block["is_error"] = True
        if message.get("cache_control") is not None:
            block["cache_control"] = message["cache_control"]
        self._append("user", [block])

    def _assistant(self, message: Message, place: int) -> list[Block]:
        if len(message) == 2 and isinstance(message["content"], str):  # the common case: nothing but text
            self._ids.begin()
            return [text_block(message["content"])] if message["content"].strip() else []
        kept = kept_blocks(message, self._spec, self._traits, self._report)
        if kept and _says(kept) == _meant(message):
            self._ids.note(kept)
            return kept
        if message.get("images"):
            self._report.dropped("images", "the wire has no images in answers that go back")
        blocks = [block for block in blocks_of(message.get("content"), place) if self._may_return(block)]
        calls = message.get("tool_calls") or ()
        self._ids.begin()
        return [*thoughts_of(kept), *blocks, *(self._tool_use(call) for call in calls)]

    def _may_return(self, block: Block) -> bool:
        kind = block["type"]
        if kind == "thinking" and not block.get("signature"):
            self._report.dropped("thinking", "a thought without the provider's signature stays behind")
            return False
        if kind == "image":
            self._report.dropped("images", "the wire has no images in answers that go back")
            return False
        return kind != "text" or bool(block["text"].strip())

    def _tool_use(self, call: dict[str, Any]) -> Block:
        function = call["function"]
        written = function["arguments"]
        try:
            given = json.loads(written) if written.strip() else {}
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            given = {"arguments": written}
            self._report.emulated("tool_calls", "arguments that are no JSON object travel as text")
        return {"type": "tool_use", "id": self._ids.of_call(call["id"]), "name": function["name"], "input": given}

    # Merging

    def _append(self, role: str, content: str | list[Block]) -> None:
        last = self._messages[-1] if self._messages else None
        if last is None or last["role"] != role:
            self._messages.append({"role": role, "content": content})
            return
        before = last["content"]
        blocks = [text_block(before)] if isinstance(before, str) else list(before)
        added = [text_block(content)] if isinstance(content, str) else content
        if added[0]["type"] == "tool_result":
            results = sum(1 for block in blocks if block["type"] == "tool_result")
            blocks[results:results] = added
        else:
            blocks += added
        last["content"] = without_blanks(blocks)

    def _trim(self, last: Message) -> None:
        """An answer that the model is to go on with may not end in white space."""
        blocks = last["content"]
        if blocks[-1]["type"] == "text" and blocks[-1]["text"] != blocks[-1]["text"].rstrip():
            last["content"] = [*blocks[:-1], {**blocks[-1], "text": blocks[-1]["text"].rstrip()}]


def _says(blocks: list[Block]) -> tuple[str, list[tuple[str, str, Any]]]:
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    return text, [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]


def _meant(message: Message) -> tuple[str, list[tuple[str, str, Any]]] | None:
    """What the message says now, to be compared with what the model wrote; None where that cannot be told."""
    content = message.get("content")
    if isinstance(content, list):
        if any(part.get("type") != "text" for part in content):
            return None
        content = "".join(part["text"] for part in content)
    calls = []
    for call in message.get("tool_calls") or ():
        function = call["function"]
        try:
            given = json.loads(function["arguments"]) if function["arguments"].strip() else {}
        except ValueError:
            return None
        calls.append((call["id"], function["name"], given))
    return content or "", calls
