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
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import heavenbase as hb
from hb_cli.story import story_of
from hb_testing.conformance.colours import Colour
from hb_testing.server import LoopbackServer
from heavenbase.call import WireRequest
from heavenbase.options import CONNECTION, conceal
from tests.matrix import EVERY, INSTALLED, Row, wires

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


OPTIONS: dict[str, Any] = {
    "api_key": secret("key"),
    "headers": {"X-Tenant": secret("headers")},
    "extra_query": {"tenant": secret("query")},
    "extra_body": {"tenant": secret("body")},
    "http_proxy": f"http://me:{secret('proxy')}@127.0.0.1:9",
}
SLIPS: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "preset": lambda llm: llm(preset="nobody's", **OPTIONS),
    "option": lambda llm: llm(temprature=1, **OPTIONS),
    "line-break": lambda llm: llm(api_key=secret("key") + "\n"),
    "bytes": lambda llm: llm(api_key=secret("key").encode()),
    "bytes-header": lambda llm: llm(headers={"X-Tenant": secret("key").encode()}),
    "password-in-address": lambda llm: llm(base_url=f"http://me:{secret('key')}@127.0.0.1/v1"),
    "query-in-address": lambda llm: llm(base_url=f"http://127.0.0.1/v1?key={secret('key')}"),
    "key-as-address": lambda llm: llm(base_url=secret("key")),
    "headers-text": lambda llm: llm().chat("hi", extra_headers=secret("key")),
    "headers-list": lambda llm: llm().chat("hi", extra_headers=[("X-Tenant", secret("key"))]),
    "framing": lambda llm: llm().chat("hi", extra_headers={"content-length": secret("key")}),
    "proxy-scheme": lambda llm: llm(http_proxy=f"socks5://me:{secret('key')}@127.0.0.1:9").chat("hi"),
    "proxy-dead": lambda llm: llm(http_proxy=f"me:{secret('key')}@127.0.0.1:9", base_url="http://api.test/v1").chat(
        "hi"
    ),
    "tool": lambda llm: llm().chat("hi", tools=[{"type": "mcp", "authorization": secret("key"), "server_url": "x"}]),
    "messages": lambda llm: llm().chat(5, **OPTIONS),
    "include": lambda llm: list(llm().stream("hi", include="nothing", **OPTIONS)),
    "embed": lambda llm: llm().embed("hi", include="nothing", **OPTIONS),
    "imagen": lambda llm: llm().imagen("", **OPTIONS),
    "count": lambda llm: llm().count_tokens("hi", estimate=5, **OPTIONS),
    "rerank": lambda llm: llm().rerank(5, [], **OPTIONS),
    "submit": lambda llm: llm().submit("hi", **OPTIONS),
    "retrieve": lambda llm: llm().retrieve(5, **OPTIONS),
    "poll": lambda llm: llm().poll("job", interval="x", **OPTIONS),
    "models": lambda llm: llm().models("x", **OPTIONS),
    "files-list": lambda llm: llm().files.list(0, **OPTIONS),
    "files-get": lambda llm: llm().files.get(5, **OPTIONS),
    "files-upload": lambda llm: llm().files.upload(b"", "a.txt", **OPTIONS),
    "exported": lambda llm: llm(extra_body={"tenant": secret("key")}).to_args(temprature=1, api_key=secret("key")),
    "settings": lambda llm: hb.Kernel(
        {"heavenbase.llm.nothing": 1, "heavenbase.llm.providers.openai.api_key": secret("key")}
    ),
    "settings-nested": lambda llm: hb.Kernel({"heavenbase": {"llm": {"apikey": secret("key")}}}),
    "settings-type": lambda llm: hb.Kernel({"heavenbase.llm.providers.openai.headers": secret("key")}),
    "settings-list": lambda llm: hb.Kernel([secret("key")]),  # type: ignore[arg-type]
    "variables": lambda llm: hb.Kernel(environ={"HEAVENBASE_LLM__NOTHING": "1", "OPENAI_API_KEY": secret("key")}),
    "reference": lambda llm: hb.Kernel({"heavenbase.llm.providers.openai.api_key": "${" + secret("key") + "}"}),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_h6_a_slip_shows_no_secret_that_was_given_beside_it(slip: str) -> None:
    with hb.Kernel({"heavenbase.llm.cache.enabled": False}) as kernel:

        def llm(**options: Any) -> hb.LLM:
            named = {"model": "m", "base_url": "http://127.0.0.1:9/v1", "max_retries": 0}
            preset = options.pop("preset", "custom")
            return hb.LLM(preset, kernel=kernel, **{**named, **options})

        with pytest.raises(hb.HBError) as caught:
            SLIPS[slip](llm)
    assert leaks(error_texts(caught.value)) == set()


def test_h6_options_that_hold_themselves_are_refused() -> None:
    body: dict[str, Any] = {}
    body["again"] = body
    with hb.Kernel({}) as kernel:
        for give in (lambda: hb.LLM("custom", kernel=kernel, extra_body=body), lambda: hb.Kernel(body)):
            with pytest.raises(hb.errors.InputError, match="holds itself"):
                give()


def test_h6_a_broken_settings_file_shows_none_of_its_secrets(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.touch(mode=0o600)
    line = f'heavenbase.llm.providers.openai.api_key = "{secret("key")}"\n'
    for rest in ("broken = = 1", "heavenbase.llm.nothing = 1", line, 'heavenbase.llm.timeouts.total = "x"'):
        file.write_text(line + rest)
        with pytest.raises(hb.errors.ConfigError) as caught:
            hb.Config.load(user_file=file, project_dir=tmp_path, environ={"HOME": str(tmp_path)})
        assert leaks(error_texts(caught.value)) == set()


def test_h6_rows_of_the_cache_hold_no_secret(server: LoopbackServer, tmp_path: Path) -> None:
    kept = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.path": str(tmp_path / "answers.db")}
    row = next(row for row in INSTALLED if row.name == "openai")
    for way in WAYS.values():
        llm = made(row, way, server, **kept)
        assert llm.chat("hi", **way.call)
        llm.kernel.close()
    assert [path.name for path in tmp_path.iterdir() if HEAD.encode() in path.read_bytes()] == []


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
        lines += ["connection: close"]
        lines += [f"{name}: {told}" for name in names.split()]
        return ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]

    return answer


def whole(body: bytes, kind: str, *headers: str) -> Callable[[Any], list[bytes]]:
    """A server that always answers so."""
    lines = ["HTTP/1.1 200 OK", f"content-type: {kind}", f"content-length: {len(body)}", "connection: close", *headers]
    return lambda request: ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]


def test_h6_good_answers_are_without_what_a_server_says_back(matrix_colour: Colour, server: LoopbackServer) -> None:
    row = next(row for row in INSTALLED if row.name == "openai")
    llm = made(row, WAYS["llm"], server)
    key = secret("key")
    told = {"id": f"id-{key}", "model": key, "debug": [f"Bearer {key}"], "usage": {"prompt_tokens": 1}}
    said = {"role": "assistant", "content": f"your key is {key}"}
    answer = {**told, "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
    server.script(whole(json.dumps(answer).encode(), "application/json", f"x-request-id: {key}", f"x-key: {key}"))
    found = matrix_colour.chat(llm, "hi")
    assert found.text == f"your key is {key}"  # what the model says is not changed
    assert key not in f"{found.raw} {found.id} {found.model} {found.request_id} {found.rate_limits}"
    chunks = matrix_colour.stream(llm, "hi")  # which this server answers with one object
    assert all(key not in f"{chunk.raw} {chunk.id} {chunk.model}" for chunk in chunks)
    pieces = [{**told, "choices": [{"index": 0, "delta": said, "finish_reason": end}]} for end in (None, "stop")]
    lines = [f"data: {json.dumps(piece)}" for piece in pieces]
    server.script(whole("\n\n".join([*lines, "data: [DONE]", ""]).encode(), "text/event-stream"))
    chunks = matrix_colour.stream(llm, "hi")
    assert "".join(chunk.text for chunk in chunks if chunk.kind == "delta") == f"your key is {key}" * 2
    assert all(key not in f"{chunk.raw} {chunk.id} {chunk.model}" for chunk in chunks)
    matrix_colour.close_kernel(llm.kernel)


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
