"""What an error answer is, and how long it asks to wait: bodies as providers and servers of models write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavenbase import errors
from heavenbase.call import Call
from heavenbase.http.kinds import codes_of
from heavenbase.http.status import embedded_error, status_error
from heavenbase.http.waits import LONGEST_WAIT, asked_wait, duration, retry_after
from heavenbase.spec import LLMSpec

from .test_status import make_call


def error(status: int, body: Any, **record: Any) -> errors.HBError:
    call = make_call()
    if record:
        call = Call(
            "complete", LLMSpec(None, "m", "m-1", "acme", "openai", "openai", provider_record=record), call.context
        )
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return status_error(call, status, [], raw, wall=lambda: 1_000_000.0)


def said(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


GROQ = (
    "Rate limit reached for model `m` in organization `org_x` on tokens per minute (TPM): Limit 12000, Used 4437, "
    "Requested 9854. Please try again in 7.2s. Need more tokens? Upgrade at https://console.groq.com/settings/billing"
)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, said(GROQ, type="tokens", code="rate_limit_exceeded"), errors.RateLimitError),
        (429, said(GROQ), errors.RateLimitError),
        (429, said("insufficient_quota_tool is busy", code="rate_limit_exceeded"), errors.RateLimitError),
        (429, said("Your billing address is on file. Too many requests."), errors.RateLimitError),
        (429, said("The engine is overloaded", type="engine_overloaded_error"), errors.Overloaded),
        (429, said("Invalid API key given too often: too many requests"), errors.RateLimitError),
        (400, said("Invalid tool name 'get_billing_info!': must match", code="invalid_value"), errors.RequestRejected),
        (400, said("Invalid tool name 'get_billing_info!'"), errors.RequestRejected),
        (400, said("tools[0].name: 'content_filter' is taken"), errors.RequestRejected),
        (400, said("messages[1]: 'prompt is too long' is no role"), errors.RequestRejected),
        (400, said("bad", type="invalid_request_error", code="insufficient_quota"), errors.QuotaExhausted),
        (401, said("You exceeded your current quota"), errors.AuthError),
        (402, said("Invalid API key"), errors.QuotaExhausted),
        (403, said("The model does not exist"), errors.AuthError),
        (503, said("insufficient capacity, billing is not affected"), errors.Overloaded),
        (500, said("Could not load the billing page"), errors.ServerError),
    ],
)
def test_b3_status_and_codes_count_before_words(status: int, body: Any, kind: type[errors.HBError]) -> None:
    assert type(error(status, body)) is kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            500,
            {"type": "error", "error": {"type": "api_error", "message": "insufficient balance (1008)"}},
            errors.QuotaExhausted,
        ),
        (500, said("Insufficient credits. Add more"), errors.QuotaExhausted),
        (400, said("Your credit balance is too low to access the API"), errors.QuotaExhausted),
        (400, said("You have reached your specified API usage limits."), errors.QuotaExhausted),
        (429, said("余额不足 Insufficient balance or no resource package. Please recharge."), errors.QuotaExhausted),
        (429, said("Too many tokens per day, please wait before trying again."), errors.QuotaExhausted),
        (403, said("Access denied, insufficient balance", code="Arrearage"), errors.QuotaExhausted),
        (
            400,
            {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***yz."},
            errors.AuthError,
        ),
        (400, said("API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"), errors.AuthError),
        (400, said("API key expired. Please renew the API key."), errors.AuthError),
        (500, said("invalid api key (2049)"), errors.AuthError),
        (500, said("The server had an error"), errors.ServerError),
        (403, b"<html><title>Forbidden: insufficient balance of trust</title></html>", errors.AuthError),
        (500, b"<html>insufficient balance</html>", errors.ServerError),
        (451, said("not available where you are"), errors.RequestRejected),
    ],
)
def test_b8_what_waiting_does_not_heal_is_not_retried(status: int, body: Any, kind: type[errors.HBError]) -> None:
    found = error(status, body)
    assert type(found) is kind
    assert found.retryable is (kind is errors.ServerError)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This model's maximum prompt length is 131072 but the request contains 136973 tokens."),
        (400, "The decoder prompt (length 5000) is longer than the maximum model length of 4096."),
        (400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"),
        (400, "the request exceeds the available context size (4096 tokens), try increasing it"),
        (400, "request (5000 tokens) exceeds the available context size (4096 tokens)"),
        (500, "the input length exceeds the context length"),
        (400, "prompt too long; exceeded max context length by 12 tokens"),
        (400, "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192"),
        (400, "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"),
        (400, "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000"),
        (400, "too many tokens: size limit exceeded by 8000 tokens. Try using shorter or fewer inputs"),
        (400, "Input is too long for requested model."),
        (400, "input length and `max_tokens` exceed context limit: 199000 + 4096 > 200000, decrease input length"),
        (400, "Too many input tokens. Max input tokens: 8192, request input token count: 9000"),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
        (
            422,
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
        ),
        (422, "Input validation error: `inputs` must have less than 1024 tokens. Given: 3000"),
        (400, "The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
        (400, "Requested token count exceeds the model's maximum context length of 8192 tokens."),
        (400, "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with"),
        (400, "The number of tokens to keep from the initial prompt is greater than the context length"),
        (500, "Context size has been exceeded."),
        (400, "Reached context length of 4096 tokens with this model"),
        (400, "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens"),
        (400, "prompt is too long: 200251 tokens > 200000 maximum"),
        (400, "Invalid request: Your request exceeded model token limit: 8192"),
        (400, "Prompt exceeds max length"),
        (400, "invalid params, context window exceeds limit (2013)"),
        (400, "prompt token count of 100000 exceeds the limit of 64000"),
        (400, "Range of input length should be [1, 30720]"),
        (413, "Input length (5000) exceeds model's maximum context length (4096)."),
    ],
)
def test_b8_each_servers_words_for_too_long_a_request_are_known(status: int, message: str) -> None:
    for body in (said(message), {"object": "error", "message": message, "code": status}, {"error": message}):
        assert type(error(status, body)) is errors.ContextOverflow


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 50000. This model supports at most 16384 completion tokens",
        "messages: text content blocks must be non-empty",
        "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576",
        "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000, reduce your size",
        "This model does not support tools",
        "context is not a valid field",
        "temperature must be less than 2",
    ],
)
def test_b8_other_refusals_are_no_overflow(message: str) -> None:
    assert type(error(400, said(message))) is errors.RequestRejected


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (said("The model `x` does not exist or you do not have access to it."), errors.ModelNotFound),
        (said("model: m-1", type="not_found_error"), errors.ModelNotFound),
        (said("models/m-2 is not found for API version v1beta", status="NOT_FOUND"), errors.ModelNotFound),
        ({"error": 'model "m" not found, try pulling it first'}, errors.ModelNotFound),
        (said("The API deployment for this resource does not exist.", code="DeploymentNotFound"), errors.ModelNotFound),
        (said("No endpoints found for acme/m-9."), errors.ModelNotFound),
        (said("Model not exist."), errors.ModelNotFound),
        (said("gone", code="model_not_found"), errors.ModelNotFound),
        (said("No endpoints found that support tool use"), errors.RequestRejected),
        (said("Not Found: no route /v1/v1/chat/completions", code="not_found"), errors.RequestRejected),
        (said("no such path: /v1beta/models/m-1:generate"), errors.RequestRejected),
        (
            said("Item with id 'rs_1' not found. Items are not persisted when `store` is set to false."),
            errors.RequestRejected,
        ),
        (said("No file found with id 'file-model'", type="not_found_error"), errors.RequestRejected),
        ({"detail": "Not Found"}, errors.RequestRejected),
        (b"<html><title>404 Not Found</title></html>", errors.RequestRejected),
        (b"404 page not found", errors.RequestRejected),
        (b"", errors.RequestRejected),
    ],
)
def test_b8_a_404_is_about_the_model_where_it_says_so(body: Any, kind: type[errors.HBError]) -> None:
    found = error(404, body)
    assert type(found) is kind
    assert ("base_url" in str(found)) is (kind is errors.RequestRejected)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (said("Rate limit reached. Please try again in 4s."), 4.0),
        (said("Please try again in 1m2.5s. Visit us"), 62.5),
        (said("Please try again in 200ms."), 0.2),
        (said("Please retry in 24.48s."), 24.48),
        (said("Please retry after 26 seconds."), 26.0),
        (said("Retry after 1 minute and 3 seconds"), 63.0),
        (said("Your quota will reset after 1h2m3s."), 3723.0),
        (said("try again in 2 hours, 5 minutes"), 7500.0),
        (said("Rate limit exceeded, wait for 3 sec"), 3.0),
        (said("Too many requests: please wait 5 seconds before you retry"), 5.0),
        (said("x", details=[{"@type": "RetryInfo", "retryDelay": "12.5s"}]), 12.5),
        (said("x", details=[{"retryDelay": {"seconds": 3, "nanos": 500_000_000}}]), 3.5),
        (said("x", details=[{"metadata": {"quotaResetDelay": "477.5ms"}}]), 0.4775),
        (said("x", metadata={"headers": {"Retry-After": "7"}}), 7.0),
        ({"error": "Model m is currently loading", "estimated_time": 20.0}, 20.0),
        (said("x", retry_after_ms=1500), 1.5),
        (said("x", retry_after="NaN"), None),
        (said("x", retry_after=-3), None),
        (said("x", retry_after=True), None),
        (said("x", retry_after=1e300), LONGEST_WAIT),
        (said("try again in 99999999 days"), LONGEST_WAIT),
        (said("30000 tokens per minute in the last 60 seconds"), None),
        (said("try again later, at 5 s past noon"), None),
        (said("try again " * 2_000), None),
    ],
)
def test_b8_waits_are_read_from_the_body_and_made_sane(body: Any, seconds: float | None) -> None:
    found = error(429, body)
    assert found.retry_after == pytest.approx(seconds) if seconds is not None else found.retry_after is None
    assert error(503, body).retry_after == found.retry_after
    assert error(400, body).retry_after is None


def test_b8_headers_count_before_the_body() -> None:
    body = json.dumps(said("try again in 9s")).encode()
    assert status_error(make_call(), 429, [(b"retry-after", b"2")], body, wall=lambda: 0.0).retry_after == 2.0
    assert retry_after({"retry-after": "1m2s"}, lambda: 0.0) == 62.0
    assert [duration(text) for text in ("", "s", "1", "1s x", "1.5h")] == [None, None, None, None, 5400.0]


def test_b8_a_request_above_the_limit_of_a_minute_is_not_sent_again() -> None:
    body = said(
        "Request too large for m on tokens per min (TPM): Limit 10000, Requested 15000.", code="rate_limit_exceeded"
    )
    found = error(429, body)
    assert (type(found), found.retryable) == (errors.RateLimitError, False)
    assert type(error(413, body)) is errors.RequestRejected


def test_b8_the_codes_of_one_provider_are_data_of_its_manifest() -> None:
    own = {"1113": "quota_exhausted", "1302": "rate_limit", "9": "no_such_kind"}
    assert type(error(429, said("x", code="1113"), errors=own)) is errors.QuotaExhausted
    assert type(error(400, said("x", code=1302), errors=own)) is errors.RateLimitError
    assert type(error(500, {"base_resp": {"status_code": 1113}}, errors=own)) is errors.QuotaExhausted
    assert type(error(400, said("x", code="9"), errors=own)) is errors.RequestRejected
    vague = {"2013": "request_rejected"}
    too_long = said("invalid params, context window exceeds limit (2013)", code="2013")
    assert type(error(400, too_long, errors=vague)) is errors.ContextOverflow
    assert type(error(500, said("invalid params", code="2013"), errors=vague)) is errors.RequestRejected


def test_b8_errors_inside_answers_are_told_apart_by_the_same_codes() -> None:
    for code, kind in (("insufficient_balance", errors.QuotaExhausted), ("engine_overloaded", errors.Overloaded)):
        assert type(embedded_error(make_call(), {"code": code, "message": "x"}, [], wall=lambda: 0.0)) is kind


def test_b3_hostile_bodies_do_no_harm() -> None:
    assert codes_of({"error": {"code": {"a": 1}, "type": ["x"], "status": True}}) == ()
    assert codes_of([]) == codes_of(None) == codes_of({"details": 5}) == ()
    nested: Any = {"retry_after": 5}
    for _ in range(50):
        nested = {"details": [nested], "error": nested}
    assert asked_wait(nested, "") is None
    assert type(error(400, b'{"error":' * 5_000 + b"{}" + b"}" * 5_000)) is errors.RequestRejected
