"""What each provider tells beside text is told, whole and streamed, in both colours, in dicts, files and the cache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heavenbase.details import Details
from heavenbase.types import Completion
from tests.telling import TELLINGS, Telling


def answers(telling: Telling) -> list[object]:
    """What the provider's answer is read as: whole and streamed, in both colours."""
    telling.told.headers = tuple(telling.headers.items())
    return list(telling.told.every(telling.answer, telling.events, **telling.asked))


EVERY = pytest.mark.parametrize("telling", TELLINGS, ids=lambda it: it.told.name)


@EVERY
def test_b12_what_a_provider_tells_is_the_same_whole_and_streamed(telling: Telling) -> None:
    for found in answers(telling):
        assert isinstance(found, Completion), found
        found.details = replace(found.details or Details(), rate_limits=None)
        assert found.details == telling.expected
        assert found.text == "Ärger 日本"


@EVERY
def test_b12_limits_are_told_where_the_provider_has_them(telling: Telling) -> None:
    for found in answers(telling):
        assert isinstance(found, Completion), found
        limits = found.rate_limits
        if limits is not None:
            for limit in (limits.requests, limits.tokens, limits.input_tokens, limits.output_tokens):
                if limit is not None:
                    limit.reset_at = None
        assert limits == telling.limits
