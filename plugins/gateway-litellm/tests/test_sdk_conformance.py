"""The contract of every gateway, as far as LiteLLM's SDK lets it be kept."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from hb_gateway_litellm.sdk import sdk
from hb_testing import GatewayContract

pytestmark = [
    # LiteLLM's own use of pydantic, and the connections that it keeps.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True, scope="module")
def imported() -> None:
    """The import takes seconds, which the clocks of the first check would count."""
    sdk()


class TestLiteLLM(GatewayContract):
    """Behind LiteLLM's adapter for the OpenAI wire. What is None here is out of the gateway's hands; README says it."""

    gateway: ClassVar[str] = "litellm"

    def provider_record(self) -> dict[str, Any]:
        return {"backend": {"litellm": "openai"}}

    # It knows four finish reasons, and counts tokens that nobody told.
    test_an_unknown_finish_reason_is_not_made_into_another = None
    test_unknown_usage_is_none = None
    # Its HTTP clients are its own: they follow redirects, have one clock and live as long as the process.
    test_a_redirect_is_refused = None
    test_a_silent_provider_is_given_up = None
    test_a_finished_stream_gives_its_connection_back = None
    test_leaving_a_stream_closes_its_connection = None
    test_cancelling_passes_through_and_closes_the_connection = None
    test_closing_the_kernel_closes_the_connections = None
    test_nothing_is_left_behind = None
    # It takes the provider off the name of the model, and what it supports is known to itself alone.
    test_what_prepare_shows_is_what_is_sent = None
    test_prepare_is_pure = None
    # All faults in a row take longer behind it than the kit waits.
    test_no_fault_lets_a_foreign_exception_out = None
