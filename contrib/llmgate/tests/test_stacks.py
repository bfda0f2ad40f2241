"""Any stack of middlewares around any chain of models does what its parts say, in every kind of call."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hb_llmgate import BaseMiddleware, CacheMiddleware, LoggingMiddleware, RateLimitMiddleware, RetryMiddleware
from hb_llmgate.exceptions import AllProvidersFailedError, LLMGateError, ProviderAPIError
from hb_testing.server import LoopbackServer, Reply

from .support import BY_NAME, ROWS, Caller, Clock, provider_of

pytestmark = pytest.mark.filterwarnings("ignore::heavenbase.errors.FallbackWarning")


class Through(BaseMiddleware):
    """Nothing but `handle`."""

    def handle(self, request: Any, call_next: Any) -> Any:
        """Go on."""
        return call_next(request)


class Piecewise(Through):
    """Streams of its own, in the sync colour alone."""

    def stream_handle(self, request: Any, call_next: Any) -> Any:
        """Go on."""
        yield from call_next(request)


MAKERS: dict[str, Callable[[], Any]] = {
    "retry": lambda: RetryMiddleware(max_retries=1),
    "log": LoggingMiddleware,
    "cache": CacheMiddleware,
    "limit": lambda: RateLimitMiddleware(rpm=60_000),
    "through": Through,
    "piecewise": Piecewise,
}
NAMES = st.lists(st.sampled_from([row.name for row in ROWS]), min_size=1, max_size=3, unique=True)
STATUSES = st.fixed_dictionaries({row.name: st.sampled_from([200, 200, 400, 401, 429, 500, 503]) for row in ROWS})


def expected(names: list[str], statuses: dict[str, int], times: int) -> tuple[list[str], int]:
    """Who is asked, in order, and the status with which it ends."""
    asked: list[str] = []
    for name in names:
        status = statuses[name]
        asked += [name] * (times if status in (429, 500, 503) else 1)
        if status in (200, 400):
            return asked, status
    return asked, status


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    stack=st.lists(st.sampled_from(sorted(MAKERS)), max_size=4),
    names=NAMES,
    statuses=STATUSES,
    way=st.sampled_from(["completion", "stream"]),
)
def test_g20_any_stack_around_any_chain(
    server: LoopbackServer,
    stacked: tuple[Caller, Clock],
    stack: list[str],
    names: list[str],
    statuses: dict[str, int],
    way: str,
) -> None:
    caller, clock = stacked
    clock.now += 10_000  # breakers of the examples before are closed again
    server.clear()

    def script(request: Any) -> Reply:
        status = statuses[provider_of(request)]
        return Reply("no", status=status) if status != 200 else Reply(f"by {provider_of(request)}")

    server.script(script)
    models = [BY_NAME[name].model for name in names]
    middleware = [MAKERS[each]() for each in stack]
    asked, status = expected(names, statuses, 2 ** stack.count("retry"))
    error: LLMGateError | None = None
    try:
        answer = getattr(caller, way)(models, middleware=middleware)
    except LLMGateError as caught:
        error = caught
    assert [provider_of(request) for request in server.requests] == asked
    for request in server.requests:
        row = BY_NAME[provider_of(request)]
        shown = f"{request.path} {dict(request.headers)}"
        assert row.key in shown
        assert not [other for other in ROWS if other is not row and other.key in shown]
    if status == 200:
        assert error is None
        text = answer.text if way == "completion" else "".join(chunk.delta for chunk in answer)
        assert text == f"by {asked[-1]}"
        head = answer if way == "completion" else answer[0]
        assert head.fallback_attempts == models[: names.index(asked[-1])]
    elif status == 400:
        assert isinstance(error, ProviderAPIError)
        assert error.status_code == 400
    else:
        assert isinstance(error, AllProvidersFailedError)
        assert [model for model, _ in error.errors] == models
        assert all(found.status_code == statuses[name] for name, (_, found) in zip(names, error.errors, strict=True))


@pytest.fixture
def stacked(caller_of: Callable[..., Caller], clock: Clock) -> tuple[Caller, Clock]:
    """A caller whose clock stands still, for many examples."""
    return caller_of(**clock.options), clock


def test_g20_the_order_of_a_stack_is_that_of_its_list(caller: Caller, server: LoopbackServer) -> None:
    cache = CacheMiddleware()
    seen: list[str] = []

    class Noting(BaseMiddleware):
        """Notes that it was asked."""

        def __init__(self, name: str) -> None:
            self.name = name

        def handle(self, request: Any, call_next: Any) -> Any:
            """Note."""
            seen.append(self.name)
            return call_next(request)

    for _ in range(2):
        caller.completion("gpt-4o-mini", middleware=[Noting("outside"), cache, Noting("inside")])
    assert seen == ["outside", "inside", "outside"]
    assert [one != other for one, other in pairwise(seen)] == [True, True]
    assert len(server.requests) == 1
