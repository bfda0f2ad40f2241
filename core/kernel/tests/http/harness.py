"""One request through each of hb's transports, for the tests of this folder."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest

from heavenbase.errors import HBError
from heavenbase.http.transport.connections import Connections, Route
from heavenbase.http.transport.exchange import Exchange
from heavenbase.http.transport.transport import async_client, hb_error, sync_client
from heavenbase.spec import Timeouts

COLOURS = ["sync", "asyncio", "aiohttp", "uvloop", "uvloop-aiohttp"]
"""Sync; and async over httpcore2 and aiohttp, on asyncio's loop and on uvloop's."""
ASYNC = COLOURS[1:]
MODULES = [httpx2]
if importlib.util.find_spec("httpx") is not None:
    MODULES.append(importlib.import_module("httpx"))

QUICK = Timeouts(connect=20.0, first_token=20.0, idle=20.0, stall=20.0, total=40.0, pool=20.0)


class Sender:
    """Sends requests in one colour, over one HTTP library. Use `run` around async work of several requests."""

    def __init__(self, colour: str, module: Any, route: Route = Route()) -> None:  # noqa: B008
        self.loops = pytest.importorskip("uvloop").new_event_loop if colour.startswith("uvloop") else None
        self.prefers_aiohttp = colour.endswith("aiohttp")
        if self.prefers_aiohttp:
            pytest.importorskip("aiohttp")
        self.colour = colour
        self.module = module
        self.route = route
        self.connections = Connections()
        self._client: Any = None

    @property
    def is_async(self) -> bool:
        return self.colour != "sync"

    def client(self) -> Any:
        """The HTTP client of the SDK's kind; for the async colours, of the running loop."""
        if self._client is None:
            if self.is_async:
                lease = self.connections.async_lease(self.route, prefer_aiohttp=self.prefers_aiohttp)
                self._client = async_client(self.module, lease, QUICK)
            else:
                self._client = sync_client(self.module, self.connections.lease(self.route), QUICK)
        return self._client

    def exchange(self, timeouts: Timeouts = QUICK, **options: Any) -> Exchange:
        return Exchange("acme/m", timeouts, **options)

    async def apost(self, url: str, body: bytes = b"{}", *, exchange: Exchange | None = None) -> bytes:
        exchange = exchange or self.exchange()
        with exchange.active():
            if not self.is_async:
                with self.client().stream("POST", url, content=body):
                    assert exchange.body is not None
                    return exchange.body.read()
            async with self.client().stream("POST", url, content=body):
                assert exchange.body is not None
                return await exchange.body.read()

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run async work (sync colours too: nothing in it then waits), and close the client."""

        async def whole() -> Any:
            self._client = None
            try:
                return await work()
            finally:
                client, self._client = self._client, None
                if client is not None:
                    await client.aclose() if self.is_async else client.close()

        with asyncio.Runner(loop_factory=self.loops) as runner:
            return runner.run(whole())

    def post(self, url: str, body: bytes = b"{}", *, exchange: Exchange | None = None) -> bytes:
        """One request, alone."""
        found: bytes = self.run(lambda: self.apost(url, body, exchange=exchange))
        return found

    def failure(self, url: str, body: bytes = b"{}", *, exchange: Exchange | None = None) -> HBError:
        """The error of hb that one request ends with, as itself or as the cause of the library's."""
        with pytest.raises((HBError, self.module.TransportError)) as caught:
            self.post(url, body, exchange=exchange)
        found = hb_error(caught.value)
        assert found is not None
        return found
