"""Turn an answer into HTTP bytes, or into steps where time or raw control is involved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hb_testing.server.answers import Action, Answer, Pause, Reply, Step, Steps, Stream
from hb_testing.server.http import LAST_CHUNK, chunk, encode_body, open_head


def frame(answer: Answer, request_id: bytes) -> bytes | Steps:
    """Bytes of one complete response that leaves the connection open, or the steps to play.

    `request_id` is the whole header line that names the request, with its end; empty for none.
    """
    if isinstance(answer, (Reply, Stream)):
        opened, payload = split(answer)
        first = b"%b%b\r\n" % (opened, request_id)
        if answer.delay or (answer.pause and isinstance(answer, Stream)):
            pieces = _pieces(answer) if isinstance(answer, Stream) else [payload]
            return _slowly(first, pieces, answer.delay, answer.pause)
        return first + payload
    if isinstance(answer, bytes):
        return (answer,)
    return answer


def split(answer: Reply | Stream) -> tuple[bytes, bytes]:
    """The response head, still open for header lines, and what follows it."""
    if isinstance(answer, Stream):
        headers = {"content-type": answer.content_type, "transfer-encoding": "chunked"}
        return open_head(200, {**headers, **_lower(answer.headers)}), b"".join(_pieces(answer))
    body, content_type = encode_body(b"" if answer.body is None else answer.body)
    headers = {"content-type": content_type, "content-length": str(len(body))}
    return open_head(answer.status, {**headers, **_lower(answer.headers)}), body


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _pieces(stream: Stream) -> list[bytes]:
    return [*(chunk(event) for event in stream.events if event), LAST_CHUNK]


def _slowly(first: bytes, pieces: Iterable[bytes], delay: float, pause: float) -> Iterator[Step]:
    yield Pause(delay)
    yield first
    for index, piece in enumerate(pieces):
        if index and pause:
            yield Pause(pause)
        yield piece
    yield Action.KEEP_OPEN
