"""Row B3: odd text in the cache. The other rows of bodies are in test_every_wire.py."""

from __future__ import annotations

import json

import pytest

from hb_testing.server import LoopbackServer
from tests.faults.harness import Mode, every, harness


@pytest.mark.parametrize("fault", ["B3.surrogate", "B3.nul"])
@every(("chat", "achat"))
def test_b3_surrogates_and_nul_are_text_that_can_be_printed(server: LoopbackServer, mode: Mode, fault: str) -> None:
    with harness(server, fault, config={"heavenbase.llm.cache.enabled": True}) as made:
        ran = made.run(mode)
        assert ran.error is None
        assert made.run(mode).completion.cached
    assert ran.text
    ran.text.encode()
    json.dumps(ran.completion.to_dict(), ensure_ascii=False, default=str).encode()
