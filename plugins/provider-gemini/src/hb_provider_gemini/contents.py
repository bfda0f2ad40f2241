"""Messages of hb as the system instruction and the contents of this wire. Pure.

System messages are lifted out, wherever they stand. Messages of one role in a row become one content, so that the
results of a round of tools travel together. What a model wrote goes back part by part, verbatim, to the provider it
came from; the thoughts of others stay behind.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hb_provider_gemini.parts import parts_of
from hb_provider_gemini.replay import UNSIGNED, kept_parts, signatures_of
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from hb_provider_gemini.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import Message

Part = dict[str, Any]

_NUMBERED = re.compile(r"call_\d+")
"""Ids that hb gave to calls that came without one."""


def wire_contents(call: Call, traits: Traits, instruction: str = "") -> tuple[Part | None, list[dict[str, Any]]]:
    """(systemInstruction, contents) of a call, `instruction` added to the former; losses go into its report."""
    writer = _Writer(call, traits)
    for place, message in enumerate(call.messages):
        writer.add(message, place)
    if instruction:
        writer.system.append({"text": instruction})
    return writer.finish()


class _Writer:
    """The contents so far."""

    def __init__(self, call: Call, traits: Traits) -> None:
        self._spec = call.spec
        self._report = call.context.report
        self._traits = traits
        self._names: dict[str, str] = {}
        self._contents: list[dict[str, Any]] = []
        self.system: list[Part] = []

    def add(self, message: Message, place: int) -> None:
        """Take one message."""
        role = message["role"]
        if role in ("system", "developer"):
            self._add_system(message, place)
        elif role == "assistant":
            self._append("model", self._assistant(message, place))
        elif role in ("tool", "function"):
            self._append("user", self._result(message, place))
        else:
            parts = parts_of(message["content"], place)
            if not parts:
                raise InputError(f"message {place} (role user) is empty; this wire takes no empty messages")
            self._append("user", parts)
        if message.get("name") and role not in ("tool", "function"):
            self._report.dropped("name", "the wire has no names of speakers")

    def finish(self) -> tuple[Part | None, list[dict[str, Any]]]:
        """The system instruction and the contents."""
        if not self._contents:
            raise InputError("there is no message of a user; this wire needs one beside the system instruction")
        if not self.system:
            return None, self._contents
        if self._traits.has_system:
            return {"parts": self.system}, self._contents
        self._report.emulated("system", "the model has no system instruction; it begins the first message")
        first = self._contents[0]
        if first["role"] == "user":
            self._contents[0] = {**first, "parts": [*self.system, *first["parts"]]}
        else:
            self._contents.insert(0, {"role": "user", "parts": self.system})
        return None, self._contents

    def _add_system(self, message: Message, place: int) -> None:
        parts = parts_of(message["content"], place)
        if any(part.keys() != {"text"} for part in parts):
            raise InputError(f"message {place} (role {message['role']}) has a part that is no text")
        if self._contents:
            self._report.emulated("system", "late system messages are lifted into the system instruction")
        self.system += parts

    def _assistant(self, message: Message, place: int) -> list[Part]:
        calls = message.get("tool_calls") or ()
        for call in calls:
            self._names[call["id"]] = call["function"]["name"]
        kept = kept_parts(message, self._spec, self._report)
        if kept and _says(kept) == _meant(message):
            return kept
        parts = [*parts_of(message.get("content"), place), *self._images(message)]
        signatures = signatures_of(kept)
        for number, call in enumerate(calls):
            parts.append(self._call(call, signatures[number] if number < len(signatures) else None))
        if calls and self._traits.signs_calls and not any("thoughtSignature" in part for part in parts):
            first = next(part for part in parts if "functionCall" in part)
            first["thoughtSignature"] = UNSIGNED
        return parts

    def _call(self, call: dict[str, Any], signature: str | None) -> Part:
        function = call["function"]
        written = function["arguments"]
        try:
            given = json.loads(written) if written.strip() else {}
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            given = {"arguments": written}
            self._report.emulated("tool_calls", "arguments that are no JSON object travel as text")
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
        response = _object(content, bool(message.get("is_error")))
        return [{"functionResponse": {**_named(known), "name": name, "response": response}}, *others]

    def _images(self, message: Message) -> list[Part]:
        """The images of an answer that goes back; one that only a URL names stays behind."""
        found = message.get("images")
        if not found:
            return []
        from heavenbase.image.image import LLMImage

        parts = []
        for item in found:
            image = LLMImage.from_any(item)
            if image.has_bytes:
                parts.append({"inlineData": {"mimeType": image.media_type, "data": image.to_b64()}})
            else:
                self._report.dropped("images", "an image of an answer that only a URL names stays behind")
        return parts

    def _append(self, role: str, parts: list[Part]) -> None:
        if not parts:
            return
        last = self._contents[-1] if self._contents else None
        if last is not None and last["role"] == role:
            last["parts"] = [*last["parts"], *parts]
        else:
            self._contents.append({"role": role, "parts": parts})


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
        except (ValueError, RecursionError):
            return None
        calls.append((function["name"], given))
    return content or "", calls
