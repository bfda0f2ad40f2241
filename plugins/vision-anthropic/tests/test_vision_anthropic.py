"""The Anthropic image block: URLs stay URLs, bytes become base64, nothing is fetched."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

import pytest

from hb_vision_anthropic import AnthropicVision, encode
from heavenbase.image.image import LLMImage
from heavenbase.image.pixels import make_png

if TYPE_CHECKING:
    from heavenbase.fetch.fetcher import Fetched, Fetcher
    from heavenbase.spec import LLMSpec

PNG = make_png(2, 3, (10, 20, 30))


class NoFetcher:
    """A fetcher that must not be used."""

    def fetch(self, url: str) -> Fetched:
        raise AssertionError(f"fetched {url}")


class OneFetcher:
    """A fetcher that has one picture."""

    def fetch(self, url: str) -> Fetched:
        from heavenbase.fetch.fetcher import Fetched

        return Fetched(PNG, "image/png", url)


@pytest.mark.parametrize("url", ["https://example.com/a.png?signature=1", "http://example.com/a.png"])
def test_a_url_is_passed_on_and_not_fetched(url: str) -> None:
    image = LLMImage.from_url(url, fetcher=cast("Fetcher", NoFetcher()))
    assert encode(image) == {"type": "image", "source": {"type": "url", "url": url}}


def test_bytes_become_base64_with_their_true_media_type() -> None:
    image = LLMImage.from_bytes(PNG, format="jpeg")
    source = {"type": "base64", "media_type": "image/png", "data": image.to_b64()}
    assert encode(image) == {"type": "image", "source": source}


def test_a_data_url_becomes_base64() -> None:
    image = LLMImage.from_bytes(PNG)
    assert encode(LLMImage.from_any(image.to_data_url())) == encode(image)


def test_the_detail_hint_stays_behind() -> None:
    assert encode(LLMImage.from_bytes(PNG, detail="low")) == encode(LLMImage.from_bytes(PNG))
    part = encode(LLMImage.from_url("https://x.example/i", detail="high"))
    assert part == {"type": "image", "source": {"type": "url", "url": "https://x.example/i"}}


def test_an_http_url_whose_bytes_are_known_is_sent_as_bytes() -> None:
    image = LLMImage.from_url("http://example.com/a.png", fetcher=cast("Fetcher", OneFetcher()))
    image.to_bytes()
    assert encode(image)["source"]["type"] == "base64"


def test_an_https_url_stays_a_url_after_it_was_fetched() -> None:
    image = LLMImage.from_url("https://example.com/a.png", fetcher=cast("Fetcher", OneFetcher()))
    image.to_bytes()
    assert encode(image)["source"] == {"type": "url", "url": "https://example.com/a.png"}


def test_only_a_plain_http_url_has_to_be_fetched() -> None:
    plugin, spec = AnthropicVision(), cast("LLMSpec", None)
    found = [
        plugin.needs_bytes(image, spec)
        for image in (
            LLMImage.from_url("http://example.com/a.png"),
            LLMImage.from_url("https://example.com/a.png"),
            LLMImage.from_bytes(PNG),
        )
    ]
    assert found == [True, False, False]


def test_the_hook_answers_for_its_format_and_leaves_others_alone() -> None:
    image, spec, plugin = LLMImage.from_bytes(PNG), cast("LLMSpec", None), AnthropicVision()
    assert plugin.encode(image, "anthropic", spec) == encode(image)
    assert plugin.encode(image, "openai", spec) is None


def test_the_entry_point_names_the_plugin_class() -> None:
    found = [entry for entry in entry_points(group="heavenbase.vision") if entry.name == "anthropic"]
    assert [entry.load() for entry in found] == [AnthropicVision]
    assert (AnthropicVision.kind, AnthropicVision.name) == ("vision", "anthropic")
