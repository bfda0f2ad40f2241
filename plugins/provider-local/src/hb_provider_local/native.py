"""The native library, llama.cpp as xllamacpp wraps it: found, imported, and set up to be quiet and private."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, PluginLoadError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hb_provider_local.gguf import Header
    from hb_provider_local.settings import Settings

UNSUPPORTED = (
    "the local engine (package xllamacpp) is not available here. It has wheels for Linux with glibc (x86-64 and "
    "aarch64), macOS (Apple silicon and Intel) and Windows (x86-64); try `pip install xllamacpp`. "
    "`-p mock` works everywhere"
)
PROMPT_BATCH = 128
"""Prompt tokens computed between two looks at whether the caller still wants the answer."""
lost_to_fork = False
"""Whether this process was forked from one in which the library was at work."""
_SOCKET_PATH_LIMIT = 100
"""Bytes: Linux allows 107 in the path of a socket, macOS 103."""


def load() -> Any:
    """The module xllamacpp; PluginLoadError, which is an ImportError, with what to do when it cannot be imported."""
    try:
        import xllamacpp  # type: ignore[import-untyped]
    except ImportError as error:
        raise PluginLoadError(f"{UNSUPPORTED} ({error})") from error
    return xllamacpp


def chat_server(path: Path, header: Header, settings: Settings) -> Any:
    """A server that answers chats."""
    params = _params(path, settings)
    params.n_parallel = settings.parallel
    params.n_ctx = min(settings.context, header.context or settings.context) * settings.parallel
    params.n_batch = params.n_ubatch = PROMPT_BATCH
    return open_server(params, path, header)


def embedding_server(path: Path, header: Header, settings: Settings) -> Any:
    """A server that answers embeddings: the mean over the tokens, unless the model says how it wants to be pooled."""
    params = _params(path, settings)
    params.embedding = True
    params.n_parallel = 1
    # An input must fit into one batch, for its vector is made in one go.
    size = min(settings.embedding_context, header.context or settings.embedding_context)
    params.n_ctx = params.n_batch = params.n_ubatch = size
    if header.pooling is None:
        params.pooling_type = load().llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return open_server(params, path, header)


def open_server(params: Any, path: Path, header: Header, *, loopback: bool | None = None) -> Any:
    """Load the model. `loopback` asks for a TCP port on 127.0.0.1; by default only Windows, which has no other way.

    The library cannot serve a process without opening a listener, so it gets one that nobody can reach: a Unix socket
    in a private folder, whose name is deleted before this returns. Either kind also demands a random key that is never
    kept. InputError when llama.cpp cannot load the file.
    """
    if loopback is None:
        loopback = sys.platform == "win32"
    if lost_to_fork:
        raise UnsupportedError(
            "this process was forked while the local engine was answering, and cannot run it; fork when it is idle, or "
            "start processes with multiprocessing's spawn"
        )
    params.api_keys = [secrets.token_urlsafe(32)]
    with _listener(loopback) as address:
        params.hostnames = [address]
        try:
            return load().Server(params)
        except RuntimeError as error:
            kind = f"architecture {header.architecture!r}" if header.architecture else "no architecture named"
            raise InputError(
                f"llama.cpp cannot load {path} ({kind}): the file is incomplete, of a kind this version does not know, "
                "or too big for the memory; `pip install --upgrade xllamacpp`, or take another model"
            ) from error


def _params(path: Path, settings: Settings) -> Any:
    params = load().CommonParams()
    params.model.path = str(path)
    # Answers name the model by its alias, and must not tell where it lies.
    params.model_alias = {path.stem}
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    params.verbosity = -1
    params.n_threads_http = 1
    params.port = 0
    params.ui = False
    params.endpoint_slots = False
    # The default would keep up to 8 GB of past prompts.
    params.cache_ram_mib = 0
    # Neither changes an answer, and together they cost 0.2 s of the time to the first token.
    params.warmup = False
    params.fit_params = False
    return params


@contextmanager
def _listener(loopback: bool) -> Iterator[str]:
    if loopback:
        yield "127.0.0.1"
        return
    folder = tempfile.mkdtemp(prefix="hb-")
    if len(os.fsencode(folder)) > _SOCKET_PATH_LIMIT - len("/x.sock"):
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="hb-", dir="/tmp")
    try:
        yield os.path.join(folder, "x.sock")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
