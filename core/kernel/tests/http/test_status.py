"""Error answers of many providers, as errors of hb."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import pytest

from heavenbase import errors
from heavenbase.call import Call, CallContext
from heavenbase.http.status import (
    LONGEST_WAIT,
    call_secrets,
    embedded_error,
    embedded_status,
    retry_after,
    status_error,
)
from heavenbase.secrets import Secret
from heavenbase.spec import LLMSpec, Timeouts

KEY = "sk-canary-0123456789"
SPEC = LLMSpec(
    None, "m", "m-1", "acme", "openai", "openai", api_key=Secret(KEY), headers={"x-portkey-api-key": "pk-canary"}
)


def make_call() -> Call:
    now = time.monotonic()
    return Call("complete", SPEC, CallContext(time.monotonic, Timeouts(), now, 0.0, None))


def error(status: int, body: Any = None, **headers: str) -> errors.HBError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return status_error(make_call(), status, pairs, raw, wall=lambda: 1_000_000.0)


def shaped(message: str = "m", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "t", "param": None, "code": None, **fields}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, shaped(), errors.RequestRejected),
        (413, shaped(), errors.RequestRejected),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "too small"}]}, errors.RequestRejected),
        (400, shaped(code="context_length_exceeded"), errors.ContextOverflow),
        (400, shaped("This model's maximum context length is 8192 tokens."), errors.ContextOverflow),
        (400, shaped("prompt is too long: 210000 tokens > 200000 maximum"), errors.ContextOverflow),
        (400, shaped("the request exceeds the available context size"), errors.ContextOverflow),
        (413, shaped("Please reduce the length of the messages"), errors.ContextOverflow),
        (400, shaped(code="content_filter"), errors.ContentFiltered),
        (400, shaped("rejected as a result of our safety system"), errors.ContentFiltered),
        (403, shaped("Input was flagged by moderation"), errors.ContentFiltered),
        (401, shaped(), errors.AuthError),
        (403, shaped(), errors.AuthError),
        (402, shaped(), errors.QuotaExhausted),
        (429, shaped(type="insufficient_quota", code="insufficient_quota"), errors.QuotaExhausted),
        (429, shaped("You exceeded your current quota, please check your plan"), errors.QuotaExhausted),
        (429, shaped("Rate limit reached for requests"), errors.RateLimitError),
        (404, shaped(code="model_not_found"), errors.ModelNotFound),
        (400, shaped("m-9 is not a valid model ID"), errors.ModelNotFound),
        (400, shaped("The model `m-9` does not exist"), errors.ModelNotFound),
        (500, shaped(), errors.ServerError),
        (502, b"<html><head><title>502 Bad Gateway</title></head></html>", errors.ServerError),
        (504, b"", errors.ServerError),
        (503, shaped(), errors.Overloaded),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, errors.Overloaded),
        (500, {"error": {"message": "The engine is overloaded"}}, errors.Overloaded),
        (500, {"error": {"code": "server overloaded", "message": "try again"}}, errors.ServerError),
        (408, shaped(), errors.StatusError),
        (302, b"", errors.RedirectRefused),
    ],
)
def test_the_class_of_an_answer(status: int, body: Any, kind: type[errors.HBError]) -> None:
    found = error(status, body)
    assert type(found) is kind
    assert found.status == status
    assert (found.provider, found.model) == ("acme", "m-1")
    assert not found.maybe_billed


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((400, False), (401, False), (404, False), (408, True), (409, True), (422, False), (429, True)),
        *((500, True), (501, False), (502, True), (503, True), (529, True), (302, False)),
    ],
)
def test_which_answers_may_be_asked_for_again(status: int, retryable: bool) -> None:
    assert error(status, shaped()).retryable is retryable


def test_the_servers_own_word_on_retrying_wins() -> None:
    assert not error(503, shaped(), x_should_retry="false").retryable
    assert error(400, shaped(), x_should_retry="true").retryable


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (shaped("plain words"), "plain words"),
        ({"error": "just text"}, "just text"),
        ({"error": "invalid_grant", "error_description": "why"}, "invalid_grant: why"),
        ({"message": "mistral words", "object": "error"}, "mistral words"),
        ({"detail": "fastapi words"}, "fastapi words"),
        ({"detail": [{"loc": ["body", "messages", 0], "msg": "bad role"}]}, "messages.0: bad role"),
        ([{"error": {"code": 400, "message": "google words", "status": "INVALID_ARGUMENT"}}], "google words"),
        ({"success": False, "errors": [{"code": 7, "message": "cloudflare words"}]}, "cloudflare words"),
        (shaped("Provider returned error", metadata={"raw": "upstream words"}), "upstream words"),
        (b"<html><title>  502\nBad </title>", "502\nBad"),
        (b"<h1>Only</h1> <p>tags", "Only tags"),
        (b"\xff\xfe not text", "not text"),
    ],
)
def test_the_providers_words_are_kept(body: Any, words: str) -> None:
    assert words in str(error(400, body))


def test_a_long_message_is_cut() -> None:
    found = error(400, shaped("x" * 5000))
    assert str(found).count("x") == 500
    assert found.body is not None
    assert len(found.body) == 200


def test_nothing_of_the_calls_secrets_is_repeated() -> None:
    percent = "".join(f"%{ord(c):02x}" for c in KEY)
    body = shaped(f"Incorrect API key {KEY}, also {percent} and pk-canary", code=KEY)
    found = error(401, body, x_request_id="r-1")
    for text in (str(found), repr(found), found.body or "", str(found.code)):
        assert KEY not in text
        assert "pk-canary" not in text
    assert "***" in str(found)


def test_proxy_passwords_are_secrets_too() -> None:
    spec = SPEC.with_args(https_proxy="http://user:pr0xy-pass@proxy:1")
    assert "pr0xy-pass" in call_secrets(spec)


@pytest.mark.parametrize(
    ("header", "name"), [("x-request-id", "a"), ("request-id", "b"), ("x-amzn-RequestId", "c"), ("cf-ray", "d")]
)
def test_the_request_id_comes_from_the_usual_headers(header: str, name: str) -> None:
    assert status_error(make_call(), 400, [(header.encode(), name.encode())], b"", wall=time.time).request_id == name


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": formatdate(1_000_030, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, LONGEST_WAIT),
        ({"retry-after": "1e308"}, LONGEST_WAIT),
        ({"retry-after": "9" * 300}, LONGEST_WAIT),
        ({"retry-after": "9" * 100_000}, None),
        ({"retry-after": "Wed, 99 Foo 2020 00:00:00 GMT"}, None),
        ({"retry-after-ms": "x"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_and_made_sane(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, lambda: 1_000_000.0) == seconds


def test_retry_after_is_on_the_error() -> None:
    assert error(429, shaped(), retry_after="3600").retry_after == 3600.0


def test_a_redirect_names_the_other_origin_only() -> None:
    found = error(302, b"", location=f"https://u:{KEY}@elsewhere.example/v1?key={KEY}")
    assert "elsewhere.example" in str(found)
    assert KEY not in str(found)


@pytest.mark.parametrize(
    ("inside", "status"),
    [
        ({"code": 429}, 429),
        ({"code": "502"}, 502),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": None, "type": "invalid_request_error"}, 400),
        ({"type": "overloaded_error"}, 529),
        ({"status": "RESOURCE_EXHAUSTED", "code": 429}, 429),
        ({"code": True}, 500),
        ({"code": 7}, 500),
        ({"message": "no more"}, 500),
        ("text", 500),
    ],
)
def test_an_error_inside_an_answer_stands_for_a_status(inside: Any, status: int) -> None:
    assert embedded_status(inside) == status
    found = embedded_error(make_call(), inside, [], wall=time.time)
    assert found.status == status


def test_hostile_error_bodies_do_no_harm() -> None:
    assert isinstance(error(400, b"[" * 200_000), errors.RequestRejected)
    assert isinstance(error(400, b'{"error": {"message": {"deep": [1]}, "code": {}}}'), errors.RequestRejected)
    assert isinstance(error(500, {"error": [None]}), errors.ServerError)
