"""A model in this process: chats and embeddings, in both colours, as OpenAI-shaped data."""

from __future__ import annotations

import atexit
import os
import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any

from hb_provider_local import native
from hb_provider_local.assemble import Assembly
from hb_provider_local.faults import from_payload
from hb_provider_local.generation import Generation
from hb_provider_local.gguf import read_header
from hb_provider_local.request import chat_payload, check_inputs, encode
from hb_provider_local.settings import Settings
from heavenbase.errors import FirstTokenTimeout, HBError, IdleTimeout, StreamTruncated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from hb_provider_local.generation import Item

    Patience: TypeAlias = Callable[[bool], float | None]
    """Given whether content has come, the seconds to wait for more; None for ever. May raise."""

GROUP_SIZE = 4000
"""Characters of embedding inputs handed to the library in one go: a few seconds of work."""


class Engine:
    """One model file under one set of settings.

    The model is loaded on first use, once, under a lock; `close` frees it, and the next use loads it again. Threads
    may share an engine. Before a fork an idle engine frees its model, as native threads do not survive one, and both
    processes load it again when they need it. InputError when the file is no model.
    """

    def __init__(self, path: Path, settings: Settings | None = None) -> None:
        self.path = path
        self.settings = settings or Settings()
        self.header = read_header(path)
        self._make_empty()
        _living.add(self)

    def _make_empty(self) -> None:
        self._servers: dict[str, Any] = {}
        self._running: set[Generation] = set()
        self._embedding = 0
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)

    # Chat

    def stream(self, body: Mapping[str, Any], *, patience: Patience | None = None) -> Iterator[dict[str, Any]]:
        """The chunks of a chat, with usage in the last one. Closing the iterator stops the engine at once.

        A wrong body is an InputError from this call, before anything runs.
        """
        return self._stream(chat_payload(body), patience)

    def _stream(self, payload: bytes, patience: Patience | None) -> Iterator[dict[str, Any]]:
        items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        generation = self._generate(payload, items.put)
        begun = False
        try:
            while True:
                limit = patience(begun) if patience is not None else None
                try:
                    item = items.get(timeout=limit)
                except queue.Empty:
                    raise _out_of_patience(begun, limit, patience) from None
                if item is None:
                    return
                if isinstance(item, HBError):
                    raise item
                begun = begun or _has_content(item)
                yield item
        finally:
            generation.cancel()

    def chat(self, body: Mapping[str, Any], *, patience: Patience | None = None) -> dict[str, Any]:
        """The answer of a chat, in the shape of a `chat.completion`."""
        assembly = Assembly()
        for chunk in self.stream(body, patience=patience):
            assembly.feed(chunk)
        return assembly.result()

    async def astream(
        self, body: Mapping[str, Any], *, patience: Patience | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Async form of `stream`; cancelling the task stops the engine too."""
        import asyncio

        payload = chat_payload(body)
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[Item] = asyncio.Queue()

        def deliver(item: Item) -> None:
            loop.call_soon_threadsafe(items.put_nowait, item)

        await self._aload("chat")
        generation = self._generate(payload, deliver)
        begun = False
        try:
            while True:
                limit = patience(begun) if patience is not None else None
                try:
                    async with asyncio.timeout(limit):
                        item = await items.get()
                except TimeoutError:
                    raise _out_of_patience(begun, limit, patience) from None
                if item is None:
                    return
                if isinstance(item, HBError):
                    raise item
                begun = begun or _has_content(item)
                yield item
        finally:
            generation.cancel()

    async def achat(self, body: Mapping[str, Any], *, patience: Patience | None = None) -> dict[str, Any]:
        """Async form of `chat`."""
        assembly = Assembly()
        chunks = self.astream(body, patience=patience)
        try:
            async for chunk in chunks:
                assembly.feed(chunk)
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]
        return assembly.result()

    # Embeddings

    def embed(self, inputs: Sequence[str], *, check: Callable[[], object] | None = None) -> dict[str, Any]:
        """One vector per input, in order, each of length 1: `data` [{index, embedding}], `usage`, `model`.

        The library cannot be stopped while it embeds, so inputs go in small groups; `check` is called between them
        and may raise.
        """
        check_inputs(inputs)
        vectors: list[list[float]] = []
        tokens = 0
        for group in _groups(inputs):
            if check is not None:
                check()
            answer = self._embed_some(group)
            vectors.extend(row["embedding"] for row in sorted(answer["data"], key=lambda row: row["index"]))
            tokens += answer["usage"]["prompt_tokens"]
        data = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": self.path.stem, "data": data, "usage": usage}

    def _embed_some(self, inputs: list[str]) -> dict[str, Any]:
        import json

        payload = encode({"input": inputs, "encoding_format": "float"})
        with self._lock:
            server = self._server("embedding")
            self._embedding += 1
        try:
            answer: dict[str, Any] = json.loads(server.handle_embeddings(payload))
        finally:
            with self._lock:
                # Dropped before the engine is told to be idle: the last reference frees the model.
                del server
                self._embedding -= 1
                self._idle.notify_all()
        if "error" in answer:
            raise from_payload(answer["error"])
        return answer

    async def aembed(self, inputs: Sequence[str], *, check: Callable[[], object] | None = None) -> dict[str, Any]:
        """Async form of `embed`; cancelling the task stops it after the group that is being computed."""
        from heavenbase.colour import call_in_thread

        stopped = threading.Event()

        def checked() -> None:
            if stopped.is_set():
                raise InterruptedError
            if check is not None:
                check()

        try:
            return await call_in_thread(self.embed, inputs, check=checked)
        finally:
            stopped.set()

    # The model

    @property
    def is_loaded(self) -> bool:
        """Whether a model is in memory now."""
        return bool(self._servers)

    def close(self) -> None:
        """Stop what runs and free the memory; streams that are being read raise StreamTruncated."""
        with self._lock:
            running = list(self._running)
            for generation in running:
                generation.cancel(StreamTruncated("the local engine was closed while it answered"))
        for generation in running:
            generation.join()
        with self._lock:
            while self._embedding:
                self._idle.wait()
            self._servers.clear()

    def rest(self) -> None:
        """Free the memory unless somebody waits for an answer."""
        with self._lock:
            running = list(self._running)
        if not all(generation.cancelled for generation in running):
            return
        for generation in running:
            generation.join()
        with self._lock:
            if not self._running and not self._embedding:
                self._servers.clear()

    def _generate(self, payload: bytes, deliver: Callable[[Item], None]) -> Generation:
        with self._lock:
            generation = Generation(self._server("chat"), payload, deliver, self._running.discard)
            self._running.add(generation)
        generation.start()
        return generation

    async def _aload(self, kind: str) -> None:
        if kind not in self._servers:
            from heavenbase.colour import call_in_thread

            await call_in_thread(self._load, kind)

    def _load(self, kind: str) -> None:
        with self._lock:
            self._server(kind)

    def _server(self, kind: str) -> Any:
        """The server for "chat" or "embedding"; the caller holds the lock.

        Two servers, made when they are needed: with one for both, a chat's prompt would have to be computed in batches
        as long as the longest input, during which nothing can stop it, and embeddings would wait for chats. They share
        the file in memory; the second takes about 60 MB of its own.
        """
        server = self._servers.get(kind)
        if server is None:
            make = native.chat_server if kind == "chat" else native.embedding_server
            server = self._servers[kind] = make(self.path, self.header, self.settings)
        return server


def _groups(inputs: Sequence[str]) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for text in inputs:
        if group and size + len(text) > GROUP_SIZE:
            yield group
            group, size = [], 0
        group.append(text)
        size += len(text)
    if group:
        yield group


def _has_content(chunk: dict[str, Any]) -> bool:
    deltas = (choice.get("delta") or {} for choice in chunk["choices"])
    return any(delta.get(name) for delta in deltas for name in ("content", "reasoning_content", "tool_calls"))


def _out_of_patience(begun: bool, limit: float | None, patience: Patience | None) -> HBError:
    if patience is not None:
        # When it was the deadline that cut the wait, this says so.
        patience(begun)
    if begun:
        return IdleTimeout(f"the local engine wrote nothing for {limit or 0:.1f} s")
    return FirstTokenTimeout(f"the local engine wrote nothing within {limit or 0:.1f} s")


_living: weakref.WeakSet[Engine] = weakref.WeakSet()


def _before_fork() -> None:
    for engine in list(_living):
        engine.rest()


def _after_fork() -> None:
    """In a forked child: new locks, and hands off models whose threads stayed with the parent.

    Freeing such a model would wait for those threads for ever, so it gets a reference that is never given back, and the
    library, whose own globals are as broken, is not used any more.
    """
    for engine in list(_living):
        for server in engine._servers.values():
            import ctypes

            ctypes.pythonapi.Py_IncRef(ctypes.py_object(server))
            native.lost_to_fork = True
        engine._make_empty()


def _close_all() -> None:
    for engine in list(_living):
        engine.close()


# The library crashes when the interpreter goes away under its threads.
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
