"""Voyage AI as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestVoyage(ProviderContract):
    provider = "voyage"


def test_the_length_of_vectors_has_another_name_there() -> None:
    sent = prepared("voyage-4-large", verb="embed", dimensions=512, input_type="query")
    assert sent.url == "https://api.voyageai.com/v1/embeddings"
    assert sent.body == {
        "model": "voyage-4-large",
        "input": ["Hello"],
        "output_dimension": 512,
        "input_type": "query",
        "encoding_format": "base64",
    }
    assert sent.report == {"dimensions": "renamed", "input_type": "sent"}


@pytest.mark.parametrize("asked", ["float", "base64"])
def test_the_encoding_that_is_sent_is_one_that_voyage_knows(asked: str) -> None:
    assert (
        prepared("voyage-4-lite", verb="embed", encoding_format=asked).body.get("encoding_format", "base64") == "base64"
    )


def test_it_makes_vectors_and_nothing_else() -> None:
    spec = prepared("voyage-4-lite", verb="embed").spec
    assert spec.dim == 1024
    assert spec.capability("chat") is spec.capability("images") is False
    assert spec.capability("embedding_batch_limit") == 1000
