"""`host_env`: a variable that servers read to know where to listen moves the address of their provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.errors import ConfigError
from heavenbase.resolution.endpoint import Endpoint, Sources, at_host

BASE = "http://localhost:11434/v1"
RECORD: Mapping[str, Any] = {"base_url": BASE, "base_url_env": "ACME_BASE_URL", "host_env": "ACME_HOST"}


def nobodys(provider: str, variable: str) -> None:
    """No variable is another provider's key."""


def connect(environ: Mapping[str, str], settings: Mapping[str, Any] | None = None) -> tuple[str | None, str]:
    """Base URL and its origin."""
    sources = Sources(Config.from_dict(settings or {}, environ=environ), nobodys)
    found = Endpoint(sources, {}).connection("acme", RECORD, "openai", {})
    return found.base_url, sources.origins["base_url"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("10.0.0.5", "http://10.0.0.5:11434/v1"),
        ("box:8080", "http://box:8080/v1"),
        (":8080", "http://localhost:8080/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
        ("[::]:8080", "http://[::1]:8080/v1"),
        ("::1", "http://[::1]:11434/v1"),
        ("http://box", "http://box/v1"),
        ("https://box:9/models/", "https://box:9/models/v1"),
        (" box/ ", "http://box:11434/v1"),
    ],
)
def test_what_the_variable_leaves_out_stays_as_it_was(host: str, url: str) -> None:
    assert at_host(BASE, host) == url
    assert connect({"ACME_HOST": host}) == (url, "environment ACME_HOST")


def test_the_variable_of_the_whole_address_comes_first() -> None:
    found = connect({"ACME_HOST": "box", "ACME_BASE_URL": "http://127.0.0.1:1/v1"})
    assert found == ("http://127.0.0.1:1/v1", "environment ACME_BASE_URL")


def test_a_configured_address_beats_both() -> None:
    settings = {"heavenbase.llm.providers.acme.base_url": BASE}
    url, origin = connect({"ACME_HOST": "box"}, settings)
    assert url == BASE
    assert "ACME_HOST" not in origin


def test_a_key_does_not_follow_to_another_machine_in_clear_text() -> None:
    sources = Sources(Config.from_dict({}, environ={"ACME_HOST": "box", "ACME_API_KEY": "sk-acme"}), nobodys)
    record = {**RECORD, "api_key_env": ["ACME_API_KEY"]}
    with pytest.raises(ConfigError, match="clear text"):
        Endpoint(sources, {}).connection("acme", record, "openai", {})
