"""Sessions as data: what a file holds of one, and the log that it is resumed from."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from heavenbase.errors import HBError, HBWarning, InputError, UnknownNameError
from heavenbase.llm import LLM
from heavenbase.messages import to_messages
from heavenbase.options import KNOWN, SAVED
from heavenbase.tools.base import Tool, to_tools
from heavenbase.types import Message

FORMAT = "heavenbase.session"
VERSION = 1
KEYS = ("format", "version", "llm", "messages", "tools")
LLM_KEYS = ("preset", "model", "provider", "gateway", "options")


def pack(llm: LLM, messages: Iterable[Message], tools: Iterable[Tool]) -> dict[str, Any]:
    """A session as JSON data. Endpoint and credential stay out: a file must not send a key to a host of its own."""
    spec = llm.spec
    wanted = [name for name in sorted(spec.explicit & spec.args.keys()) if _is_saved(name)]
    options = {name: spec.args[name] for name in wanted if _is_plain(spec.args[name])}
    return {
        "format": FORMAT,
        "version": VERSION,
        "llm": {
            "preset": spec.preset,
            "model": spec.model,
            "provider": spec.provider,
            "gateway": spec.requested_gateway,
            "options": options,
        },
        "messages": [pack_message(message) for message in messages],
        "tools": [{**tool.to_openai_tool(), "runs": tool.run is not None} for tool in tools],
    }


def unpack(data: Mapping[str, Any], llm: LLM | None, tools: list[Tool]) -> tuple[LLM, list[Message], list[Tool]]:
    """(LLM, messages, tools) of packed data; InputError for what is no session."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise InputError(f"this is no saved session: its format is not {FORMAT!r}")
    if data.get("version") != VERSION:
        raise InputError(f"the session has version {data.get('version')!r}; this hb reads version {VERSION}")
    try:
        # A format with more keys has another version.
        for table, known in ((data, KEYS), (data.get("llm", {}), LLM_KEYS)):
            for name in table.keys() - known:
                raise UnknownNameError("key of a saved session", name, known)
        llm = llm or _saved_llm(data["llm"])
        messages = to_messages(data["messages"]) if data["messages"] else []
        return llm, messages, [*tools, *_saved_tools(data.get("tools", ()), tools)]
    except HBError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"the saved session is damaged ({type(error).__name__}: {error})") from error


def _saved_llm(saved: Mapping[str, Any]) -> LLM:
    options = {name: value for name, value in saved["options"].items() if _is_saved(name)}
    return LLM(saved["preset"], saved["model"], saved["provider"], saved["gateway"], **options)


def _saved_tools(saved: Iterable[Mapping[str, Any]], given: list[Tool]) -> list[Tool]:
    names = {tool.name for tool in given}
    found = []
    for schema in saved:
        wire = {name: value for name, value in schema.items() if name != "runs"}
        (tool,) = to_tools(wire)
        if tool.name in names:
            continue
        if schema.get("runs"):
            warnings.warn(
                f"tool {tool.name!r} of the saved session is left out, as a file holds no code; pass tools=",
                HBWarning,
                stacklevel=4,
            )
        else:
            found.append(tool)
    return found


def pack_message(message: Message) -> Message:
    """A message whose images are data."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    parts = [part["image"].to_dict() if part.get("type") == "image" else part for part in content]
    return {**message, "content": parts}


def _is_saved(name: str) -> bool:
    # A file must hold neither code nor what may carry a credential.
    return name in SAVED or name not in KNOWN


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


# Files


def write(path: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
    """Put data in a file that only its owner may read, all of it or none."""
    target = os.path.expanduser(os.fspath(path))
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    draft = f"{target}.{os.getpid()}.part"
    try:
        with os.fdopen(_open(draft, os.O_TRUNC), "w", encoding="utf-8") as file:
            json.dump(data, file, ensure_ascii=True, indent=1)
            file.write("\n")
        os.replace(draft, target)
    except BaseException:
        if os.path.exists(draft):
            os.unlink(draft)
        raise


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], bool]:
    """(data of a session, whether the file is a log)."""
    try:
        with open(os.path.expanduser(os.fspath(path)), encoding="utf-8") as file:
            text = file.read()
        try:
            data = json.loads(text)
        except ValueError:
            return replay(text.splitlines(), path), True
        if isinstance(data, dict) and data.get("op") == "begin":  # a log of one line
            return replay([text], path), True
        return data, False
    except (UnicodeDecodeError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{os.fspath(path)}: this is neither a saved session nor the log of one") from error


def replay(lines: list[str], path: Any) -> dict[str, Any]:
    """The session that a log tells of; a line that was cut off, by a program that was killed, is passed over."""
    data: dict[str, Any] | None = None
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            op = entry["op"]
        except (ValueError, TypeError, KeyError):
            op = ""
            if data is not None:
                warnings.warn(
                    f"{os.fspath(path)}: line {number} was cut off; it is passed over", HBWarning, stacklevel=4
                )
                continue
        if op == "begin":
            data = entry["session"]
        elif data is None:
            raise InputError(f"{os.fspath(path)}: this is neither a saved session nor the log of one")
        elif op == "add":
            data["messages"].extend(entry["messages"])
        elif op == "cut":
            del data["messages"][entry["length"] :]
    if data is None:
        raise InputError(f"{os.fspath(path)}: the file is empty")
    return data


class Log:
    """A JSONL file that only its owner may read, one line for each change: begin, add, cut."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.expanduser(os.fspath(path))

    def begin(self, session: Mapping[str, Any]) -> None:
        """Note a session as it is now; what the file held before counts no more."""
        os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
        self._put({"op": "begin", "session": session})

    def add(self, messages: list[Message]) -> None:
        """Note messages that came to the end."""
        if messages:
            self._put({"op": "add", "messages": [pack_message(message) for message in messages]})

    def cut(self, length: int) -> None:
        """Note that only the first messages are left."""
        self._put({"op": "cut", "length": length})

    def _put(self, entry: Mapping[str, Any]) -> None:
        # Opened anew each time and written in one go, so that a killed program loses at most its last line.
        line = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        with os.fdopen(_open(self.path, os.O_APPEND | os.O_RDWR), "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            file.write(line)


def _open(path: str, flags: int) -> int:
    return os.open(path, os.O_CREAT | (flags if flags & os.O_RDWR else flags | os.O_WRONLY), 0o600)
