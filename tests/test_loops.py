"""Every native wire on an event loop that is not asyncio's own, as web servers bring one, with and without aiohttp."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.http.transport import connections
from heavenbase.llm import LLM
from tests.matrix import EVERY, Row, addresses, credentials, make_kernel


@pytest.mark.parametrize("stack", ["aiohttp", "httpcore2"])
@EVERY
def test_e1_every_wire_answers_and_streams_under_uvloop(
    row: Row, stack: str, matrix_server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    uvloop = pytest.importorskip("uvloop")  # pip install uvloop; it is not for Windows
    monkeypatch.setattr(connections, "has_aiohttp", lambda: stack == "aiohttp")
    matrix_server.clear()

    async def work() -> tuple[str, list[str], str]:
        # By name, not by number: the loop has to find the addresses of `localhost`.
        environ = {name: url.replace("127.0.0.1", "localhost") for name, url in addresses(matrix_server, row).items()}
        with make_kernel({**environ, **credentials(row)}) as kernel:
            llm = LLM(model=f"{row.name}/{row.model}", kernel=kernel, max_retries=0)
            whole, *others = await asyncio.gather(*(llm.achat("hi") for _ in range(5)))
            assert set(others) == {whole}
            pieces = [piece async for piece in llm.astream("hi")]
            left: Any = llm.astream("hi")
            first = await anext(left)
            await left.aclose()
            return whole, pieces, first

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        whole, pieces, first = runner.run(work())
    assert whole
    assert "".join(pieces) == whole
    assert pieces[0] == first
