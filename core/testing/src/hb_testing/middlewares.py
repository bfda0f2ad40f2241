"""What every middleware and every judge must do, as tests to inherit.

    class TestMine(MiddlewareContract):
        middleware = "mine"

    class TestStrict(JudgeContract):
        judge = "strict"

Calls of every verb go through the plugin, sync, async and as streams, to an endpoint that notes what it is asked and
fails on request. A middleware that is an `Observer` is held to more: with it nothing may differ.
"""

from __future__ import annotations

from hb_testing.conformance.checks_judges import JudgeChecks
from hb_testing.conformance.checks_middleware import MiddlewareChecks

__all__ = ["JudgeContract", "MiddlewareContract"]


class MiddlewareContract(MiddlewareChecks):
    """Inherit it in a class named Test…, set `middleware`, and `may_answer`, `changes`, `live` where they differ."""


class JudgeContract(JudgeChecks):
    """Inherit it in a class named Test…, set `judge`, and give with `good` and `bad` answers that it knows."""
