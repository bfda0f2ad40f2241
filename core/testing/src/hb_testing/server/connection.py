"""One accepted connection: reads requests, sends answers, plays raw steps."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterable
from typing import Protocol

from hb_testing.server.answers import Action, Pause, Step, Steps
from hb_testing.server.http import CONTINUE, HEAD_LIMIT, Body, MalformedRequest, parse_head, response
from hb_testing.server.recorder import Peer, RecordedRequest, Recorder

_LINGER_ZERO = struct.pack("ii", 1, 0)
_TURNS_BETWEEN_YIELDS = 16
_LINGER = 5.0
"""Seconds for a peer to finish sending a request that was refused."""


class Site(Protocol):
    """The server, as a connection sees it."""

    recorder: Recorder

    def joined(self, connection: Connection) -> None:
        """A connection was accepted."""

    def left(self, connection: Connection) -> None:
        """A connection is gone."""

    def early(self, request: RecordedRequest) -> Steps | None:
        """Steps to play before the body is read, or None to go on."""

    def answer(self, request: RecordedRequest) -> bytes | Steps:
        """A complete response that leaves the connection open, or steps. Must not raise."""

    def failed(self, error: Exception) -> None:
        """A script, fault or handler raised."""


class Connection(asyncio.Protocol):
    """The server's side of one TCP (or TLS) connection.

    A complete response is written at once, without a task: that is the path benchmarks measure. Steps are played in a
    task, which ends when the peer closes. A half-close by the peer counts as a close.
    """

    transport: asyncio.Transport
    peer: Peer

    def __init__(self, site: Site) -> None:
        self._site = site
        self._buffer = bytearray()
        self._request: RecordedRequest | None = None
        self._body: Body | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._paused = False
        self._ours = False
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.peer = self._site.recorder.connected()
        self._site.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop playing, note who closed."""
        if not self._ours:
            self._peer_closed()
        if self._task is not None:
            self._task.cancel()
        self._wake()
        self._site.left(self)
        self._site.recorder.disconnected()

    def eof_received(self) -> bool:
        """The peer sent FIN: stop and close."""
        self._peer_closed()
        return False

    def data_received(self, data: bytes) -> None:
        """Take bytes; answer every request that is complete, one after the other."""
        if self._refused:
            return
        self._buffer += data
        if self._task is None:
            try:
                self._advance()
            except MalformedRequest as error:
                message = f"malformed request: {error}".encode()
                self.transport.write(response(400, message, "text/plain; charset=utf-8", connection="close"))
                self._refuse()

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """The write buffer has drained."""
        self._paused = False
        self._wake()

    def close(self) -> None:
        """Flush, then close."""
        self._ours = True
        self.transport.close()

    def _refuse(self) -> None:
        """Say no more, and read on for a while: closing over unread bytes is a reset, which can outrun the answer."""
        self._refused = True
        if not self.transport.can_write_eof():
            self.close()
            return
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER, self.close)

    def reset(self) -> None:
        """Close with a TCP RST; bytes that have not left the process are dropped."""
        self._ours = True
        connected: socket.socket | None = self.transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.transport.abort()

    def abandon(self) -> None:
        """Drop the connection and what was not sent."""
        self._ours = True
        self.transport.abort()

    def _peer_closed(self) -> None:
        if self.peer.closed_at is None:
            self.peer.closed_at = time.monotonic()
            self._site.recorder.changed()

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _advance(self) -> None:
        buffer = self._buffer
        while self._task is None and not self.transport.is_closing():
            if self._request is None and not self._begin(buffer):
                return
            request, body = self._request, self._body
            if request is None or body is None:
                return
            data = body.take(buffer)
            if data is None:
                return
            self._request = None
            request.body = data
            request.complete = True
            self._site.recorder.changed()
            self._respond(request)

    def _begin(self, buffer: bytearray) -> bool:
        """Read a head. False when it is not complete, or when it was answered already."""
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > HEAD_LIMIT:
                raise MalformedRequest("the head is too long")
            return False
        method, target, version, raw, headers = parse_head(bytes(buffer[:end]))
        del buffer[: end + 4]
        recorder = self._site.recorder
        number = recorder.next_number()
        request = RecordedRequest(number, method, target, headers, raw, time.monotonic(), self.peer, version)
        self._body = Body(headers)
        recorder.add(request)
        early = self._site.early(request)
        if early is not None:
            # Nothing more is read: a client that is still sending notices that it was cut off.
            self.transport.pause_reading()
            self._play(early)
            return False
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(CONTINUE)
        self._request = request
        return True

    def _respond(self, request: RecordedRequest) -> None:
        answer = self._site.answer(request)
        if isinstance(answer, bytes):
            self.transport.write(answer)
            if request.version != "HTTP/1.1" or request.headers.get("connection", "").lower() == "close":
                self.close()
        else:
            self._play(answer)

    def _play(self, steps: Steps) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(steps))

    async def _run(self, steps: Steps) -> None:
        try:
            keep = await self._steps(steps)
        except Exception as error:
            self._site.failed(error)
            keep = False
        self._task = None
        if not keep:
            self.close()
        else:
            self.data_received(b"")

    async def _steps(self, steps: Steps) -> bool:
        """Play the steps. True when the connection may take the next request."""
        if isinstance(steps, AsyncIterable):
            async for step in steps:
                if (done := await self._step(step)) is not None:
                    return done
            return False
        for turn, step in enumerate(steps):
            if (done := await self._step(step)) is not None:
                return done
            if turn % _TURNS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)
        return False

    async def _step(self, step: Step) -> bool | None:
        if isinstance(step, bytes):
            self.transport.write(step)
            await self._drain()
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif step is Action.RESET:
            await self._flushed()
            self.reset()
            return False
        elif step is Action.HALF_CLOSE and self.transport.can_write_eof():
            self.transport.write_eof()
        elif step is Action.STALL:
            await asyncio.get_running_loop().create_future()
        else:
            return step is Action.KEEP_OPEN
        return None

    async def _drain(self) -> None:
        if self._paused:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable
            self._writable = None

    async def _flushed(self) -> None:
        # The transport tells when its buffer is below a mark, not when it is empty.
        while self.transport.get_write_buffer_size() and not self.transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
