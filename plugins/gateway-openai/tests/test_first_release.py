"""Wheels of the first release reach into modules that are elsewhere now."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

OLD = {
    "dialects": ("replay_fields", "thinking_off"),
    "embeddings": ("embedding",),
    "images": ("by_chat", "images", "images_of_chat"),
    "responses": ("Thinking", "completion"),
    "streams": ("ChatStream",),
    "usage": ("chat_usage",),
}
KEPT = {
    "attempt": ("ChatAttempt", "OpenAIAttempt"),
    "client": ("build", "sdk"),
    "gateway": ("OpenAIGateway",),
    "responses_api": ("ResponsesGateway",),
    "routing": ("RoutingGateway",),
}


@pytest.mark.parametrize("module", OLD)
def test_a_module_that_moved_loads_under_its_old_name_and_says_so(module: str) -> None:
    sys.modules.pop(f"hb_gateway_openai.{module}", None)
    with pytest.warns(DeprecationWarning, match=f"hb_gateway_openai.{module} is now in hb_wire_openai"):
        found = import_module(f"hb_gateway_openai.{module}")
    assert found.__name__.startswith("hb_wire_openai.")
    assert all(callable(getattr(found, name)) for name in OLD[module])


@pytest.mark.parametrize("module", KEPT)
def test_a_module_that_stayed_has_its_names(module: str) -> None:
    found = import_module(f"hb_gateway_openai.{module}")
    assert all(callable(getattr(found, name)) for name in KEPT[module])


def test_a_module_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        import_module("hb_gateway_openai.nothing")
