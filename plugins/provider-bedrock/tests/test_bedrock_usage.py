"""Counts of tokens of Converse, and what prices go by beside them."""

from __future__ import annotations

from typing import Any

import pytest

from hb_provider_bedrock.usage import token_usage
from heavenbase.types import Usage

COUNTS = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}


@pytest.mark.parametrize(
    ("decoded", "usage"),
    [
        ({"usage": COUNTS}, Usage(5, 7)),
        ({}, None),
        ({"usage": []}, None),
        (
            {"usage": {**COUNTS, "cacheWriteInputTokens": 9,
                       "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 5}, 3]}},
            Usage(5, 7, cache_write=9, cache_write_1h=4),
        ),
        ({"usage": COUNTS, "serviceTier": {"type": "flex"}}, Usage(5, 7, tier="flex")),
        ({"usage": COUNTS, "serviceTier": {"type": 5}}, Usage(5, 7)),
        ({"usage": COUNTS, "performanceConfig": {"latency": "optimized"}}, Usage(5, 7, tier="optimized")),
        ({"usage": COUNTS, "performanceConfig": {"latency": "standard"}, "serviceTier": {"type": "default"}},
         Usage(5, 7, tier="default")),
    ],
)  # fmt: skip
def test_tokens_what_is_kept_for_an_hour_and_the_service_that_was_billed(decoded: Any, usage: Usage | None) -> None:
    assert token_usage(decoded) == usage
