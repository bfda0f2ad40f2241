"""Messages of hb as the system prompt and the messages of this wire. Pure.

System messages are lifted out, wherever they stand. Messages of one role in a row become one, with the results of
tools first: the wire wants all results of a turn in one message. What a model wrote goes back block by block, verbatim,
to the model it came from. Where a request has no tools, earlier calls are told in words, as the wire refuses them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.parts import (
    TAKEN,
    blocks_of,
    blocks_of_part,
    cache_point,
    text_block,
    title_of,
    without_blanks,
)
from hb_provider_bedrock.replay import kept_blocks, thoughts_of
from heavenbase.errors import InputError, VisionNotSupported
from heavenbase.wires import (
    BEGIN,
    GO_ON,
    History,
    ToolIds,
    arguments_object,
    check_prefill,
    is_failed,
    mark_of,
    meaning,
    note_history,
    objects,
    takes_late_system,
)

if TYPE_CHECKING:
    from hb_provider_bedrock.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import Message

Block = dict[str, Any]
_OF_SYSTEM = frozenset({"text", "cachePoint", "guardContent"})


def wire_messages(call: Call, traits: Traits, instruction: str = "") -> tuple[list[Block], list[Message]]:
    """(system blocks, messages) of a call; what cannot travel is noted in the call's report."""
    history = _History(call, traits)
    history.write()
    return history.finish(instruction)


def has_tool_blocks(messages: list[Message]) -> bool:
    """Whether a conversation on the wire has calls or results in it."""
    return any("toolUse" in block or "toolResult" in block for message in messages for block in message["content"])


def in_words(messages: list[Message]) -> list[Message]:
    """The messages with calls and results of tools as text, for a request that has no tools."""
    return [
        {**message, "content": [told for block in message["content"] for told in _told(block)]} for message in messages
    ]


class _History(History):
    """The messages so far."""

    tool_changes = frozenset({"toolAddition", "toolRemoval"})

    def __init__(self, call: Call, traits: Traits) -> None:
        super().__init__(call)
        self._traits = traits
        self.takes_late = takes_late_system(self.spec, traits.takes_late_system, here=False)
        self.taken = TAKEN._replace(marks=traits.caches)
        self._ids = ToolIds("a-zA-Z0-9_.:-", longest=64)
        self._titles: set[str] = set()

    def finish(self, instruction: str) -> tuple[list[Block], list[Message]]:
        """The system prompt, with the instruction at its end, and the messages."""
        if not self.turns:
            raise InputError("there is no message of a user; this wire needs one beside the system prompt")
        self.go_on(text_block(GO_ON))
        if instruction:
            self.system.append(text_block(instruction))
        if self.system and not self._traits.system:
            self.report.emulated("system", "the model has no system prompt; it leads the first message")
            self._lead([block for block in self.system if "text" in block])
            self.system = []
        self.begin_with_user(text_block(BEGIN))
        for turn in self.turns:
            self._fit_documents(turn)
        last = self.turns[-1]
        if last["role"] == "assistant":
            if all("text" in block or "reasoningContent" in block for block in last["content"]):
                check_prefill(self.spec)
            self._trim(last)
        return self.system, self.turns

    def _lead(self, blocks: list[Block]) -> None:
        first = self.turns[0]
        if first["role"] == "user":
            first["content"] = [*blocks, *first["content"]]
        else:
            self.turns.insert(0, {"role": "user", "content": blocks})

    # Roles

    def read_part(self, part: Block) -> list[Block]:
        """The blocks of a part."""
        return blocks_of_part(part, 0)

    def add_user(self, message: Message, place: int) -> None:
        """Take what the user says."""
        said = blocks_of(message["content"], place) or blocks_of(self.blank(message, place), place)
        if said:
            self.note_blanks(message)
            self._check_images(said)
            self._append("user", said)

    def add_answer(self, message: Message, place: int) -> None:
        """Take an answer of the model, if it says anything."""
        blocks = self._assistant(message, place)
        if blocks:
            self.place_late()
            self._append("assistant", blocks)

    def system_blocks(self, message: Message, place: int) -> list[Block]:
        """The blocks of a system message: texts, marks, and changes of the tools."""
        blocks = blocks_of(message["content"], place)
        self.note_blanks(message)
        if any(not block.keys() & _OF_SYSTEM and not self.is_change(block) for block in blocks):
            raise InputError(f"message {place} (role {message['role']}) has a part that is no text")
        return blocks

    def add_result(self, message: Message, place: int) -> None:
        """Take the result of a tool."""
        content = message["content"]
        if isinstance(content, str):
            found = blocks_of(content, place)
        else:
            found = without_blanks(block for part in content for block in blocks_of_part(part, place))
        if not found:
            note_history(self.report, "blank results of tools travel without content")
        self._check_images(found)
        result: Block = {"toolUseId": self._ids.of_result(message["tool_call_id"]), "content": found}
        if is_failed(message):
            result["status"] = "error"
        blocks: list[Block] = [{"toolResult": result}]
        if self.taken.marks and (mark := mark_of(message)) is not None:
            blocks.append(cache_point(mark.get("ttl") if hasattr(mark, "get") else None))
        self._append("user", blocks)

    def _assistant(self, message: Message, place: int) -> list[Block]:
        kept = kept_blocks(message, self.spec, self.report)
        if kept and _says(kept) == meaning(message):
            self._ids.begin(
                use["toolUseId"] for use in objects([block.get("toolUse") for block in kept]) if "toolUseId" in use
            )
            return without_blanks(kept)
        if message.get("images"):
            self.report.dropped("images", "the wire has no images in answers that go back")
        blocks = [block for block in blocks_of(message.get("content"), place) if self._may_return(block)]
        calls = message.get("tool_calls") or ()
        self._ids.begin()
        return [*thoughts_of(kept), *blocks, *(self._tool_use(call) for call in calls)]

    def _may_return(self, block: Block) -> bool:
        if "image" in block:
            self.report.dropped("images", "the wire has no images in answers that go back")
            return False
        return True

    def _tool_use(self, call: dict[str, Any]) -> Block:
        function = call["function"]
        given = arguments_object(function["arguments"], self.report)
        return {"toolUse": {"toolUseId": self._ids.of_call(call["id"]), "name": function["name"], "input": given}}

    def _check_images(self, blocks: list[Block]) -> None:
        if not self._traits.vision and any("image" in block for block in blocks):
            raise VisionNotSupported(
                f"{self.call.target}: the model accepts no images; choose one that does, such as Nova Lite or Claude",
                provider=self.spec.provider,
                model=self.spec.model_id,
            )

    # Documents

    def _fit_documents(self, turn: Message) -> None:
        """Give each document a name of its own, and the turn a text beside it: the wire refuses both otherwise."""
        blocks = turn["content"]
        found = [block["document"] for block in blocks if "document" in block]
        for block in blocks:
            inner = block["toolResult"]["content"] if "toolResult" in block else ()
            for document in [block.get("document"), *(part.get("document") for part in inner)]:
                if document is not None:
                    self._name(document)
        if found and not any("text" in block for block in blocks):
            note_history(self.report, "a message of documents alone gets their names as its text")
            blocks.append(text_block(", ".join(document["name"] for document in found)))

    def _name(self, document: Block) -> None:
        given = document.get("name")
        name, number = title_of(given), 1
        while name in self._titles:
            number += 1
            name = f"{title_of(given)[:190]} ({number})"
        self._titles.add(name)
        if name != given:
            note_history(self.report, f"the document {given or 'without a name'!s} is named {name!r}")
            document["name"] = name

    # Merging

    def _append(self, role: str, blocks: list[Block]) -> None:
        self.append(role, blocks, lambda block: "toolResult" in block)

    def _trim(self, last: Message) -> None:
        """An answer that the model is to go on with may not end in white space."""
        blocks = last["content"]
        text = blocks[-1].get("text")
        if text is not None and text != text.rstrip():
            last["content"] = [*blocks[:-1], text_block(text.rstrip())]


def _told(block: Block) -> list[Block]:
    use, result = block.get("toolUse"), block.get("toolResult")
    if use is not None:
        return [text_block(f"[called {use['name']} with {json.dumps(use['input'], ensure_ascii=False)}]")]
    if result is None:
        return [block]
    said = [
        part["text"] if "text" in part else json.dumps(part["json"]) for part in result["content"] if _is_words(part)
    ]
    return [text_block(f"[result: {' '.join(said)}]"), *(part for part in result["content"] if not _is_words(part))]


def _is_words(part: Block) -> bool:
    return "text" in part or "json" in part


def _says(blocks: list[Block]) -> tuple[str, list[tuple[Any, Any, Any]]]:
    text = "".join(_text(block) for block in blocks)
    uses = objects([block.get("toolUse") for block in blocks])
    return text, [
        (it.get("toolUseId"), it.get("name"), it.get("input")) for it in uses if it.get("type") != "server_tool_use"
    ]


def _text(block: Block) -> str:
    cited = block.get("citationsContent")
    if isinstance(cited, dict):
        return "".join(str(part.get("text") or "") for part in objects(cited.get("content")))
    return str(block.get("text") or "")
