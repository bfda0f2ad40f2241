"""Calls for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.call import Call, CallContext
from heavenbase.spec import LLMSpec, Timeouts

MakeCall = Callable[..., Call]


@pytest.fixture
def make_call() -> MakeCall:
    """A call of the provider p and the model m, with these messages, arguments and inputs."""

    def make(messages: Any = (), inputs: Any = (), explicit: Any = (), **args: Any) -> Call:
        spec = LLMSpec(preset=None, model="m", model_id="m", provider="p", gateway="g", requested_gateway="g")
        context = CallContext(lambda: 0.0, Timeouts(), 0.0, 0.0, None)
        return Call(
            "complete",
            spec,
            context,
            messages=list(messages),
            inputs=list(inputs),
            args=args,
            explicit=frozenset(explicit),
        )

    return make
