"""Messages of hb as those of this wire. Pure.

Tool calls of others get ids of nine letters and digits, which is all that this wire takes. Where a user speaks right
after a tool, an answer is put between them; an answer that stands last is one that the model goes on with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hb_provider_mistral.parts import TAKEN, content_of
from hb_provider_mistral.replay import kept
from heavenbase.structured import with_instruction
from heavenbase.wires import GO_ON, fit_message, note_history, object_text, ordered, with_error_mark

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Message, ParameterReport

_ROLES = {"developer": "system", "function": "tool"}
_OWN_ID = re.compile(r"[a-zA-Z0-9]{9}")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_ANSWER = TAKEN._replace(messages=frozenset({"prefix"}))
_BETWEEN = "OK"


def wire_messages(call: Call, instruction: str = "") -> list[dict[str, Any]]:
    """The messages of a call, `instruction` added to the system message; losses go into its report."""
    report = call.context.report
    found: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    asks = False
    for place, message in enumerate(
        with_instruction(ordered(call, read=lambda part: content_of([part], 0)), instruction)
    ):
        role = str(_ROLES.get(message["role"], message["role"]))
        if len(message) > 2 or type(message["content"]) is not str:
            message = fit_message(message, place, (_ANSWER if role == "assistant" else TAKEN).of(call.spec), report)
        if message["role"] == "developer":
            report.emulated(f"messages[{place}].role", "the wire has system for it")
        if role == "assistant":
            made = _assistant(call, message, place)
        elif role == "tool":
            made = _result(message, place)
        else:
            made = {"role": role, "content": content_of(message["content"], place)}
            if message.get("name"):
                report.dropped("name", "the wire has no names of speakers")
        if made is None:
            continue
        asks = asks and role != "assistant"
        if role == "system" and found and found[-1]["role"] in ("assistant", "tool"):
            late.append(made)
            asks = True
            note_history(report, "late system messages, which may not follow an answer or a result, are put first")
            continue
        if role == "user" and found and found[-1]["role"] == "tool":
            found.append({"role": "assistant", "content": _BETWEEN})
            note_history(report, "an answer is put between the result of a tool and what a user says next")
        found.append(made)
    if late and asks and found[-1]["role"] == "assistant":
        found.append({"role": "user", "content": GO_ON})
        note_history(report, "a system message asks for more behind an answer; the user says to go on")
    if late:
        first = next((place for place, made in enumerate(found) if made["role"] != "system"), len(found))
        found[first:first] = late
    if found and found[-1]["role"] == "assistant" and not found[-1].get("tool_calls"):
        found[-1].setdefault("prefix", True)
    return found


def wire_id(known: str) -> str:
    """The id of a tool call on this wire: the same for the same, its own where it has the right form."""
    if _OWN_ID.fullmatch(known):
        return known
    from hashlib import blake2s

    number = int.from_bytes(blake2s(known.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    letters = []
    for _ in range(9):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)


def _assistant(call: Call, message: Message, place: int) -> dict[str, Any] | None:
    """One answer; None for one that says nothing."""
    found: dict[str, Any] = {"role": "assistant"}
    content = content_of(message.get("content"), place)
    thoughts = kept(message, call.spec, call.context.report)
    if thoughts:
        texts = [{"type": "text", "text": content}] if isinstance(content, str) and content else list(content or ())
        content = [*thoughts, *texts]
    if message.get("images"):
        call.context.report.dropped("images", "images of an answer stay behind; the wire takes them of users")
    calls = message.get("tool_calls") or ()
    if content or calls:
        found["content"] = content
    if calls:
        found["tool_calls"] = [_call(made, call.context.report) for made in calls]
    if message.get("prefix") is not None:
        found["prefix"] = message["prefix"]
    return found if len(found) > 1 else None


def _call(made: dict[str, Any], report: ParameterReport) -> dict[str, Any]:
    function = made["function"]
    return {
        "id": wire_id(made["id"]),
        "type": "function",
        "function": {"name": function["name"], "arguments": object_text(function["arguments"], report)},
    }


def _result(message: Message, place: int) -> dict[str, Any]:
    found: dict[str, Any] = {"role": "tool", "content": content_of(with_error_mark(message)["content"], place)}
    if message.get("tool_call_id"):
        found["tool_call_id"] = wire_id(str(message["tool_call_id"]))
    if message.get("name"):
        found["name"] = message["name"]
    return found
