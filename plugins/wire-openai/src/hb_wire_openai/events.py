"""What the streams of both wires share: the terminal marker, and errors among the events. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.http import decode_json
from heavenbase.wires import StreamedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_wire_openai.answers import Thinking
    from heavenbase.call import Call
    from heavenbase.errors import HBError
    from heavenbase.types import Chunk

_ANSWERS = frozenset({"data", "output", "usage", "delta", "item", "response", "base_resp"})
"""What answers and events have, and errors have not."""


def error_reader(embedded: Callable[[Any], HBError]) -> Callable[[Any], HBError | None]:
    """What finds the error inside a decoded answer or event; `embedded` makes the error of hb for an error object."""

    def held(decoded: Any) -> HBError | None:
        if not isinstance(decoded, dict):
            return None
        error = decoded.get("error")
        if not error and "choices" not in decoded and _is_error(decoded):
            error = decoded
        if not error and "base_resp" in decoded:
            error = _outcome(decoded["base_resp"])
        return embedded(error) if error else None

    return held


def _is_error(decoded: dict[str, Any]) -> bool:
    """Whether this is an error that stands alone, as some servers send it with the status of a success."""
    if decoded.get("object") == "error":
        return True
    is_told = any(isinstance(decoded.get(name), str) for name in ("message", "msg"))
    kind = decoded.get("code", decoded.get("type"))
    return is_told and kind is not None and not str(kind).startswith("response.") and _ANSWERS.isdisjoint(decoded)


def _outcome(said: Any) -> dict[str, Any] | None:
    """The error of servers that say beside each answer what became of it: 0 where all is well."""
    if not isinstance(said, dict) or said.get("status_code") in (None, 0, "0", ""):
        return None
    return {"code": said["status_code"], "message": said.get("status_msg")}


class WireStream(StreamedAnswer):
    """What has come of one streamed answer. `embedded` makes the error of hb for an error object in the stream."""

    __slots__ = ("_embedded", "_thinking")

    def __init__(self, call: Call, thinking: Thinking, embedded: Callable[[Any], HBError]) -> None:
        super().__init__(call, thinking.is_hidden, error_reader(embedded))
        self._thinking = thinking
        self._embedded = embedded

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event; None for the terminal marker, behind which nothing more comes."""
        if data.startswith(b"[DONE]"):
            self._has_event = self.is_done = True
            self.is_fresh = False
            return None
        return self.take(decode_json(data))
