"""Canaries in all places where a credential may be given: each reaches the endpoint, and shows where nobody may see it.

Looked at are texts and fields of all that hb hands out, what a debugger or an error reporter shows of the frames of hb,
logs, warnings and pickles; and the endpoint says back what it got, in its headers and in its body.
"""

from __future__ import annotations

import json
import logging
import pickle
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

import heavenbase as hb
from hb_cli.story import story_of
from hb_testing.conformance.colours import Colour
from hb_testing.server import LoopbackServer
from heavenbase.call import WireRequest
from heavenbase.options import CONNECTION, conceal
from tests.matrix import EVERY, Row, wires

HEAD = "-".join(("canary", "7f3a9b2c1d8e"))
"""Put together here, so that no line of this file that a traceback quotes holds it."""


def secret(name: str) -> str:
    """A canary of its own for each way that it may be given."""
    return f"{HEAD}-{name}"


class Way(NamedTuple):
    """How canaries are given: settings of the provider, variables, options of the LLM and of the call."""

    settings: Mapping[str, Any] = {}
    environ: Mapping[str, str] = {}
    llm: Mapping[str, Any] = {}
    call: Mapping[str, Any] = {}


WAYS: dict[str, Way] = {
    "settings": Way(
        {
            "api_key": secret("key"),
            "headers": {"X-Tenant": secret("headers"), "X-Other": "${env:MINE}", "X-Title": "shown"},
            "default_args.headers": {"X-Default": secret("default")},
            "default_args.extra_headers": {"X-Extra": secret("extra")},
            "default_args.extra_query": {"tenant": secret("query")},
            "default_args.extra_body": {"x_deep": {"tenant": [secret("body")]}},
        },
        {"MINE": secret("reference")},
    ),
    "variables": Way({"headers.X-Tenant": "${env:MINE}"}, {"KEY": secret("key"), "MINE": secret("reference")}),
    "references": Way({"api_key": "${env:MINE}"}, {"MINE": secret("key")}),
    "llm": Way(
        llm={
            "api_key": secret("key"),
            "headers": {"X-Tenant": secret("headers")},
            "extra_headers": {"X-Extra": f"Bearer {secret('extra')}"},
            "extra_query": {"tenant": secret("query")},
            "extra_body": {"x_deep": {"tenant": [secret("body")]}, "x_key": secret("body2")},
        }
    ),
    "call": Way(
        environ={"KEY": "another-key-0123456789"},
        llm={"extra_headers": {"X-Before": "plain"}},
        call={
            "api_key": hb.Secret(secret("key")),
            "headers": {"X-Tenant": secret("headers")},
            "default_headers": {"X-Extra": f"Basic {secret('extra')}"},
            "extra_query": {"tenant": [secret("query")]},
            "extra_body": {"x_deep": {"tenant": (secret("body"),)}},
        },
    ),
}
EACH_WAY = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def shared() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=wires(), strict=False) as server:
        yield server


@pytest.fixture
def server(shared: LoopbackServer) -> LoopbackServer:
    shared.clear()
    return shared


def made(row: Row, way: Way, server: LoopbackServer, **more: Any) -> hb.LLM:
    """A target to which the canaries are given."""
    rows = {f"heavenbase.llm.providers.{row.name}.{name}": value for name, value in way.settings.items()}
    rows |= {f"heavenbase.llm.providers.{row.name}.base_url": server.url(row.name), **more}
    variables = {row.keys[0] if name == "KEY" else name: value for name, value in way.environ.items()}
    kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False, **rows}, environ=variables)
    return hb.LLM(model=f"{row.name}/{row.model}", kernel=kernel, max_retries=0, **way.llm)


def parts(thing: Any, depth: int = 6) -> Iterator[str]:
    """What a debugger shows of an object and of what it holds."""
    yield repr(thing)
    if isinstance(thing, str | bytes | int | float | type | None | hb.Secret | WireRequest) or depth == 0:
        return
    yield str(thing)
    held: list[Any] = []
    if "heavenbase" in type(thing).__module__ or "hb_" in type(thing).__module__:
        names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
        held += [getattr(thing, name, None) for name in names]
        held += getattr(thing, "__dict__", {}).values()
    held += thing.values() if isinstance(thing, Mapping) else ()
    held += thing if type(thing) in (list, tuple, set, frozenset) else ()
    for item in held:
        if not isinstance(item, hb.Kernel):
            yield from parts(item, depth - 1)


def leaks(texts: Iterator[str]) -> set[str]:
    """Where canaries show, in short."""
    return {f"{text[: 90]} … {text[found.start() - 60 : found.end() + 20]}" for text in texts
            for found in re.finditer(f"{HEAD}-?[a-z0-9]*", text)}  # fmt: skip


def error_texts(error: BaseException | None) -> Iterator[str]:
    """The error and those that led to it: their texts and fields, the frames of hb with their locals, the pickle."""
    while error is not None:
        yield from parts(error)
        yield repr(error.args) + repr(vars(error))
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        for frame in trace.stack:
            if "/tests/" not in frame.filename and "hb_testing" not in frame.filename:
                yield f"{frame.filename}:{frame.lineno} {frame.name} {frame.locals}"
        if isinstance(error, hb.HBError):
            yield repr(pickle.dumps(error))
            yield json.dumps([attempt.to_dict() for attempt in error.attempts], default=repr)
        error = error.__cause__ or error.__context__


def logged(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """What was logged, at any level."""
    return (f"{record.name} {record.getMessage()} {record.args}" for record in caplog.records)


@EACH_WAY
@EVERY
def test_h6_nothing_that_is_handed_out_shows_a_secret(
    row: Row, way: str, matrix_colour: Colour, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    llm = made(row, WAYS[way], server)
    kernel = llm.kernel
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        answer = matrix_colour.chat(llm, "hi", **WAYS[way].call)
    [request] = server.requests
    sent = f"{request.path} {request.headers} {request.body!r}"
    for name in set(re.findall(f"{HEAD}-([a-z0-9]+)", repr(WAYS[way]) + secret("key"))):
        assert secret(name) in sent
    options = dict(WAYS[way].call)
    conceal(options)
    target = kernel.resolver.redirect(llm.spec, {name: options.pop(name) for name in CONNECTION & options.keys()})
    said = [{"role": "user", "content": "hi"}]
    call = kernel.call("complete", target, options, is_async=False, messages=said)
    story = story_of(kernel, call)
    things: tuple[Any, ...] = (answer, answer.to_dict(), call, story, json.dumps(story, default=str))
    for thing in (*things, llm, vars(llm), llm.spec, llm.spec.to_dict(), kernel.config, vars(kernel.resolver)):
        assert leaks(parts(thing)) == set()
    assert leaks(iter([repr(kernel.gateway(call.spec).prepare(call))])) == set()
    assert leaks(iter([call.spec.hash_key(), call.spec.client_key(), *(str(w.message) for w in warned)])) == set()
    assert leaks(logged(caplog)) == set()
    matrix_colour.close_kernel(kernel)


def echo(status: int) -> Callable[[Any], Any]:
    """A server that says back what it got: in its headers, in its body."""

    def answer(request: Any) -> list[bytes]:
        told = " ".join(re.findall(f"{HEAD}-[a-z0-9]+", f"{request.path} {request.headers} {request.body!r}"))
        said = f"bad: {told}; {request.path}"
        body = json.dumps({"error": {"message": said, "code": told, "type": said}, "message": said}).encode()
        names = "x-request-id request-id x-amzn-requestid x-amzn-errortype x-ratelimit-limit-requests x-debug location"
        lines = [f"HTTP/1.1 {status} Bad", "content-type: application/json", f"content-length: {len(body)}"]
        lines += [f"{name}: {told}" for name in names.split()]
        return ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]

    return answer


@EACH_WAY
@EVERY
def test_h6_what_comes_back_is_scrubbed(
    row: Row, way: str, matrix_colour: Colour, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    llm = made(row, WAYS[way], server)
    for status in (400, 401, 404, 429, 500, 302, 200):
        server.script(echo(status))
        for ask in (matrix_colour.chat, matrix_colour.stream):
            with pytest.raises(hb.HBError) as caught:
                ask(llm, "hi", **WAYS[way].call)
            assert (status, leaks(error_texts(caught.value))) == (status, set())
    assert leaks(logged(caplog)) == set()
    matrix_colour.close_kernel(llm.kernel)
