"""Errors of every native provider in one tree, for chats, streams and vectors."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.errors import AuthError, ModelNotFound, ProviderError, RateLimitError, RequestRejected, ServerError
from tests.matrix import EVERY, Bench

KINDS = [
    ("S1.401", 401, AuthError),
    ("S1.403", 403, AuthError),
    ("S1.400", 400, RequestRejected),
    ("S1.404", 404, ModelNotFound),
    ("S5.500", 500, ServerError),
    ("S5.503", 503, ServerError),
]


def failure(bench: Bench, verb: str, **options: Any) -> ProviderError:
    """The error that a call ends with."""
    with pytest.raises(ProviderError) as caught:
        bench.embed(["text"], **options) if verb == "embed" else bench.ask(verb, **options)
    return caught.value


def verbs(bench: Bench) -> tuple[str, ...]:
    """The verbs of a provider."""
    return ("complete", "stream", "embed") if bench.row.embedding else ("complete", "stream")


@EVERY
@pytest.mark.parametrize(("fault", "status", "kind"), KINDS, ids=[fault for fault, _, _ in KINDS])
def test_g24_a_status_has_its_class_on_every_verb(
    bench: Bench, fault: str, status: int, kind: type[ProviderError]
) -> None:
    bench.server.strike(fault, bench.row.name)
    for verb in verbs(bench):
        error = failure(bench, verb)
        assert type(error) is not ProviderError
        assert isinstance(error, kind)
        assert (error.status, error.provider) == (status, bench.row.name)
        assert error.retryable == (status >= 500)
        assert bench.row.key not in str(error)
        assert [attempt.status for attempt in error.attempts] == [status]


@EVERY
def test_g24_too_many_requests_say_how_long_to_wait(bench: Bench) -> None:
    for verb in verbs(bench):
        bench.server.clear()
        # The next call to the same place waits as long, hence not seconds.
        bench.server.strike("S3.ms-20", bench.row.name)
        error = failure(bench, verb)
        assert isinstance(error, RateLimitError)
        assert (error.status, error.retry_after, error.retryable) == (429, 0.02, True)


@EVERY
def test_g21_g24_what_was_refused_for_good_is_asked_once(bench: Bench) -> None:
    bench.server.strike("S1.400", bench.row.name)
    bench.options = {"max_retries": 3}
    for place, verb in enumerate(verbs(bench), start=1):
        failure(bench, verb)
        assert len(bench.server.requests) == place


@EVERY
def test_h26_a_refusal_that_repeats_the_key_does_not_show_it(bench: Bench) -> None:
    for verb in verbs(bench):
        bench.server.script(lambda request: bench.wire.error(401, f"Incorrect API key provided: {bench.row.key}."))
        error = failure(bench, verb)
        assert isinstance(error, AuthError)
        assert bench.row.key not in f"{error!s}{error!r}{error.body}"
