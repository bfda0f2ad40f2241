"""The OpenAI image part: URLs stay URLs, bytes become data URLs, nothing is fetched."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

import pytest

from hb_vision_openai import OpenAIVision, encode
from heavenbase.image.image import LLMImage
from heavenbase.image.pixels import make_png
from heavenbase.spec import LLMSpec

if TYPE_CHECKING:
    from heavenbase.fetch.fetcher import Fetched, Fetcher

PNG = make_png(2, 3, (10, 20, 30))


def make_spec(**capabilities: object) -> LLMSpec:
    return LLMSpec(None, "m", "m", "acme", "openai", "openai", provider_record={"capabilities": capabilities})


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
    assert encode(image) == {"type": "image_url", "image_url": {"url": url}}


def test_bytes_become_a_data_url_with_their_true_media_type() -> None:
    part = encode(LLMImage.from_bytes(PNG, format="jpeg"))
    assert part["type"] == "image_url"
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert LLMImage.from_b64(data).to_bytes() == PNG


@pytest.mark.parametrize(
    "image", [LLMImage.from_bytes(PNG, detail="low"), LLMImage.from_url("https://x.example/i", detail="low")]
)
def test_the_detail_hint_is_kept(image: LLMImage) -> None:
    assert encode(image)["image_url"]["detail"] == "low"


def test_an_endpoint_without_details_gets_no_hint() -> None:
    image = LLMImage.from_bytes(PNG, detail="low")
    assert "detail" not in OpenAIVision().part(image, make_spec(image_detail=False))["image_url"]
    assert OpenAIVision().part(image, make_spec(image_detail=True))["image_url"]["detail"] == "low"


def test_an_http_url_whose_bytes_are_known_is_sent_as_bytes() -> None:
    image = LLMImage.from_url("http://example.com/a.png", fetcher=cast("Fetcher", OneFetcher()))
    image.to_bytes()
    assert encode(image)["image_url"]["url"].startswith("data:image/png;base64,")


def test_an_https_url_stays_a_url_after_it_was_fetched() -> None:
    image = LLMImage.from_url("https://example.com/a.png", fetcher=cast("Fetcher", OneFetcher()))
    image.to_bytes()
    assert encode(image)["image_url"]["url"] == "https://example.com/a.png"


def test_the_hook_answers_for_its_format_and_leaves_others_alone() -> None:
    image, spec, plugin = LLMImage.from_bytes(PNG), make_spec(), OpenAIVision()
    assert plugin.encode(image, "openai", spec) == encode(image)
    assert plugin.encode(image, "anthropic", spec) is None


def test_the_entry_point_names_the_plugin_class() -> None:
    found = [entry for entry in entry_points(group="heavenbase.vision") if entry.name == "openai"]
    assert [entry.load() for entry in found] == [OpenAIVision]
    assert (OpenAIVision.kind, OpenAIVision.name) == ("vision", "openai")
