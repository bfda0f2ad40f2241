"""What each provider tells beside text is told, whole and streamed, in both colours, in dicts, files and the cache."""

from __future__ import annotations

import pytest

from heavenbase.types import Completion
from tests.telling import TELLINGS, Telling

EVERY = pytest.mark.parametrize("telling", TELLINGS, ids=lambda it: it.told.name)


@EVERY
def test_b12_what_a_provider_tells_is_the_same_whole_and_streamed(telling: Telling) -> None:
    for found in telling.told.every(telling.answer, telling.events, **telling.asked):
        assert isinstance(found, Completion), found
        assert found.details == telling.expected
