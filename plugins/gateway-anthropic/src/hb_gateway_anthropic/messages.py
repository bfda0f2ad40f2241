"""Messages of hb as the system prompt and the messages of this wire. Pure.

System messages are lifted out, wherever they stand, unless the model takes late ones in their place. Messages of one
role in a row become one, with the results of tools first. What a model wrote goes back block by block, verbatim, to
the provider it came from; the thoughts of others stay behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_gateway_anthropic.parts import LATE_FIELDS, TAKEN, TOOL_CHANGES, block_of, blocks_of, text_block, without_blanks
from hb_gateway_anthropic.replay import THOUGHTS, kept_blocks, thoughts_of
from heavenbase.errors import InputError
from heavenbase.wires import (
    BEGIN,
    GO_ON,
    MARK,
    History,
    ToolIds,
    arguments_object,
    check_prefill,
    is_failed,
    mark_of,
    meaning,
    note_history,
)

if TYPE_CHECKING:
    from hb_gateway_anthropic.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import Message

Block = dict[str, Any]
_SAID = ("text", *THOUGHTS)
"""Blocks of an answer that the model would have to go on with, unlike those of the provider's own tools."""


def wire_messages(call: Call, traits: Traits) -> tuple[str | list[Block] | None, list[Message]]:
    """(system, messages) of a call; what cannot travel is noted in the call's report."""
    history = _History(call, traits)
    history.write()
    return history.finish()


def joined_system(blocks: list[Block]) -> str | list[Block] | None:
    """A system prompt: plain texts as one, blocks where one of them carries more than text."""
    if not blocks:
        return None
    if all(block.keys() == {"type", "text"} for block in blocks):
        return "\n\n".join(block["text"] for block in blocks)
    return blocks


class _History(History):
    """The messages so far."""

    taken = TAKEN
    late_fields = LATE_FIELDS
    tool_changes = TOOL_CHANGES

    def __init__(self, call: Call, traits: Traits) -> None:
        super().__init__(call)
        self._traits = traits
        self.takes_late = traits.takes_late_system
        self._ids = ToolIds("a-zA-Z0-9_-")

    def finish(self) -> tuple[str | list[Block] | None, list[Message]]:
        """The system prompt and the messages."""
        if not self.turns:
            raise InputError("there is no message of a user; this wire needs one beside the system prompt")
        self.go_on(text_block(GO_ON))
        self.begin_with_user(text_block(BEGIN))
        last = self.turns[-1]
        if last["role"] == "assistant":
            if all(block["type"] in _SAID for block in last["content"]):
                check_prefill(self.spec)
            self._trim(last)
        return joined_system(self.system), self.turns

    # Roles

    def read_part(self, part: Block) -> Block:
        """The block of a part."""
        return block_of(part, 0)

    def add_user(self, message: Message, place: int) -> None:
        """Take what the user says; text alone stays text."""
        content = message["content"]
        said = content if isinstance(content, str) and content.strip() else blocks_of(content, place)
        said = said or self.blank(message, place)
        if said:
            self.note_blanks(message)
            self._append("user", said)

    def add_answer(self, message: Message, place: int) -> None:
        """Take an answer of the model, if it says anything."""
        blocks = self._assistant(message, place)
        if blocks:
            self.place_late()
            self._append("assistant", blocks)

    def system_blocks(self, message: Message, place: int) -> list[Block]:
        """The blocks of a system message: texts, and changes of the tools."""
        blocks = blocks_of(message["content"], place)
        self.note_blanks(message)
        if any(block["type"] != "text" and not self.is_change(block) for block in blocks):
            raise InputError(f"message {place} (role {message['role']}) has a part that is no text")
        return blocks

    def is_paused(self, turn: Message) -> bool:
        """Whether the provider's own tools are at work, so that the model goes on by itself."""
        content = turn["content"]
        return isinstance(content, list) and content[-1]["type"] not in (*_SAID, "tool_use")

    def add_result(self, message: Message, place: int) -> None:
        """Take the result of a tool."""
        block: Block = {"type": "tool_result", "tool_use_id": self._ids.of_result(message["tool_call_id"])}
        content = message["content"]
        if isinstance(content, str):
            if content.strip():
                block["content"] = content
        else:
            found = without_blanks([block_of(part, place) for part in content])
            if found:
                block["content"] = found
        if "content" not in block:
            note_history(self.report, "blank results of tools travel without content")
        if is_failed(message):
            block["is_error"] = True
        if (mark := mark_of(message)) is not None:
            block[MARK] = mark
        self._append("user", [block])

    def _assistant(self, message: Message, place: int) -> list[Block]:
        if len(message) == 2 and isinstance(message["content"], str):  # the common case: nothing but text
            self._ids.begin()
            return [text_block(message["content"])] if message["content"].strip() else []
        kept = kept_blocks(message, self.spec, self._traits, self.report)
        if kept and _says(kept) == meaning(message):
            self._ids.begin(block["id"] for block in kept if block["type"] == "tool_use" and "id" in block)
            return without_blanks(kept)
        if message.get("images"):
            self.report.dropped("images", "the wire has no images in answers that go back")
        blocks = [block for block in blocks_of(message.get("content"), place) if self._may_return(block)]
        calls = message.get("tool_calls") or ()
        self._ids.begin()
        return [*thoughts_of(kept), *blocks, *(self._tool_use(call) for call in calls)]

    def _may_return(self, block: Block) -> bool:
        kind = block["type"]
        if kind == "thinking" and not block.get("signature"):
            self.report.dropped("thinking", "a thought without the provider's signature stays behind")
            return False
        if kind == "image":
            self.report.dropped("images", "the wire has no images in answers that go back")
            return False
        return True

    def _tool_use(self, call: dict[str, Any]) -> Block:
        function = call["function"]
        given = arguments_object(function["arguments"], self.report)
        return {"type": "tool_use", "id": self._ids.of_call(call["id"]), "name": function["name"], "input": given}

    # Merging

    def _append(self, role: str, said: str | list[Block]) -> None:
        last = self.turns[-1] if self.turns else None
        if last is None or last["role"] != role:
            self.turns.append({"role": role, "content": said})
            return
        if isinstance(last["content"], str):
            last["content"] = [text_block(last["content"])]
        self.append(role, [text_block(said)] if isinstance(said, str) else said, _is_result)

    def _trim(self, last: Message) -> None:
        """An answer that the model is to go on with may not end in white space."""
        blocks = last["content"]
        if blocks[-1]["type"] == "text" and blocks[-1]["text"] != blocks[-1]["text"].rstrip():
            last["content"] = [*blocks[:-1], {**blocks[-1], "text": blocks[-1]["text"].rstrip()}]


def _is_result(block: Block) -> bool:
    return bool(block["type"] == "tool_result")


def _says(blocks: list[Block]) -> tuple[str, list[tuple[Any, Any, Any]]]:
    text = "".join(str(block.get("text") or "") for block in blocks if block["type"] == "text")
    return text, [(b.get("id"), b.get("name"), b.get("input")) for b in blocks if b["type"] == "tool_use"]
