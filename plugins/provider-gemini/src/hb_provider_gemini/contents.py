"""Messages of hb as the system instruction and the contents of this wire. Pure.

System messages are lifted out, wherever they stand. Messages of one role in a row become one content, so that the
results of a round of tools travel together. What a model wrote goes back part by part, verbatim, to the provider it
came from; the thoughts of others stay behind.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hb_provider_gemini.parts import TAKEN, parts_of
from hb_provider_gemini.replay import NOT_SIGNED, kept_parts, signatures_of
from heavenbase.errors import InputError
from heavenbase.wires import BEGIN, GO_ON, History, arguments_object, meaning

if TYPE_CHECKING:
    from hb_provider_gemini.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import Message

Part = dict[str, Any]

_NUMBERED = re.compile(r"call_\d+")
"""Ids that hb gave to calls that came without one."""


def wire_contents(call: Call, traits: Traits, instruction: str = "") -> tuple[Part | None, list[dict[str, Any]]]:
    """(systemInstruction, contents) of a call, `instruction` added to the former; losses go into its report."""
    history = _History(call, traits)
    history.write()
    if instruction:
        history.system.append({"text": instruction})
    return history.finish()


class _History(History):
    """The contents so far."""

    blocks = "parts"
    taken = TAKEN
    prompt = "system instruction"
    results = ("tool", "function")

    def __init__(self, call: Call, traits: Traits) -> None:
        super().__init__(call)
        self._traits = traits
        self._names: dict[str, str] = {}

    def read_part(self, part: Part) -> list[Part]:
        """The parts of a part."""
        return parts_of([part], 0)

    def add_user(self, message: Message, place: int) -> None:
        """Take what the user says."""
        parts = parts_of(message["content"], place) or parts_of(self.blank(message, place), place)
        if parts:
            self.append("user", parts)

    def add_answer(self, message: Message, place: int) -> None:
        """Take an answer of the model, if it says anything."""
        parts = self._assistant(message, place)
        if parts:
            self.append("model", parts)

    def add_result(self, message: Message, place: int) -> None:
        """Take the result of a tool."""
        content = message["content"]
        if isinstance(content, list) and content and all("functionResponse" in part for part in content):
            self.append("user", parts_of(content, place))  # in the wire's own shape
        else:
            self.append("user", self._result(message, place))

    def finish(self) -> tuple[Part | None, list[dict[str, Any]]]:
        """The system instruction and the contents."""
        if not self.turns:
            raise InputError("there is no message of a user; this wire needs one beside the system instruction")
        self.begin_with_user({"text": BEGIN})
        self.go_on({"text": GO_ON})
        if not self.system:
            return None, self.turns
        if self._traits.has_system:
            return {"parts": self.system}, self.turns
        self.report.emulated("system", "the model has no system instruction; it begins the first message")
        first = self.turns[0]
        if first["role"] == "user":
            self.turns[0] = {**first, "parts": [*self.system, *first["parts"]]}
        else:
            self.turns.insert(0, {"role": "user", "parts": self.system})
        return None, self.turns

    def system_blocks(self, message: Message, place: int) -> list[Part]:
        """The parts of a system message, which are texts."""
        parts = parts_of(message["content"], place)
        if any(part.keys() != {"text"} for part in parts):
            raise InputError(f"message {place} (role {message['role']}) has a part that is no text")
        return parts

    def _assistant(self, message: Message, place: int) -> list[Part]:
        calls = message.get("tool_calls") or ()
        for call in calls:
            self._names[call["id"]] = call["function"]["name"]
        kept = kept_parts(message, self.spec, self.report)
        if kept and _says(kept) == _meant(message):
            return kept
        if message.get("audio"):
            self.report.dropped("audio", "the wire has no sounds in answers that go back; the text goes")
        parts = [*parts_of(message.get("content"), place), *self._images(message)]
        signatures = signatures_of(kept)
        for number, call in enumerate(calls):
            parts.append(self._call(call, signatures[number] if number < len(signatures) else None))
        if calls and self._traits.signs_calls and not any("thoughtSignature" in part for part in parts):
            first = next(part for part in parts if "functionCall" in part)
            first["thoughtSignature"] = NOT_SIGNED
        return parts

    def _call(self, call: dict[str, Any], signature: str | None) -> Part:
        function = call["function"]
        given = arguments_object(function["arguments"], self.report)
        made: Part = {"functionCall": {**_named(call["id"]), "name": function["name"], "args": given}}
        return made if signature is None else {**made, "thoughtSignature": signature}

    def _result(self, message: Message, place: int) -> list[Part]:
        known = message.get("tool_call_id") or ""
        name = self._names.get(known) or message.get("name")
        if not name:
            raise InputError(
                f"message {place} (role {message['role']}) answers the call {known!r}, which no message before it "
                "makes; this wire wants the name of the tool: pass name="
            )
        content = message["content"]
        others: list[Part] = []
        if not isinstance(content, str):
            parts = parts_of(content, place)
            others = [part for part in parts if "text" not in part]
            content = "".join(part["text"] for part in parts if "text" in part)
        made: Part = {**_named(known), "name": name, "response": _object(content, bool(message.get("is_error")))}
        if self._traits.nests_parts and others and all("inlineData" in part for part in others):
            return [{"functionResponse": {**made, "parts": others}}]
        return [{"functionResponse": made}, *others]

    def _images(self, message: Message) -> list[Part]:
        """The images of an answer that goes back; one that only a URL names stays behind."""
        found = message.get("images")
        if not found:
            return []
        from heavenbase.image import LLMImage

        parts = []
        for item in found:
            image = LLMImage.from_any(item)
            if image.has_bytes:
                parts.append({"inlineData": {"mimeType": image.media_type, "data": image.to_b64()}})
            else:
                self.report.dropped("images", "an image of an answer that only a URL names stays behind")
        return parts


def _named(known: str) -> dict[str, str]:
    return {} if not known or _NUMBERED.fullmatch(known) else {"id": known}


def _object(content: str, is_error: bool) -> dict[str, Any]:
    """The result of a tool as the object that the wire wants."""
    try:
        found = json.loads(content) if content.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    return {"error" if is_error else "result": content}


def _says(parts: list[Part]) -> tuple[str, list[tuple[str, Any]]]:
    text = "".join(part["text"] for part in parts if isinstance(part.get("text"), str) and not part.get("thought"))
    calls = [part["functionCall"] for part in parts if isinstance(part.get("functionCall"), dict)]
    return text, [(call.get("name", ""), call.get("args") or {}) for call in calls]


def _meant(message: Message) -> tuple[str, list[tuple[str, Any]]] | None:
    found = meaning(message)
    return None if found is None else (found[0], [(name, given) for _, name, given in found[1]])
