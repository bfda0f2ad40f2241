"""Checks of clients: shared where keys are equal, apart where not, in any loop and thread, and gone when closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.colours import COLOURS, Async, Sync
from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import needs, only_if
from hb_testing.conformance.rig import KEY, PROMPT
from hb_testing.conformance.sandbox import leftovers
from heavenbase.errors import ExportError, HBError

if TYPE_CHECKING:
    from hb_testing.conformance.colours import Colour
    from hb_testing.conformance.rig import Rig

PATIENT = 5.0
"""Seconds that a loaded machine may take to close connections."""
OTHER_KEY = "sk-hb-other-0a1b2c3d4e5f6071"


class LifeChecks(GatewayBase):
    """From the first call to the last."""

    @needs("chat")
    def test_equal_client_keys_share_connections(self, wired: Rig) -> None:
        one, other = wired.llm(), wired.llm(temperature=0.5)
        assert one.spec.client_key() == other.spec.client_key()
        for llm in (one, other, one):
            wired.call("chat", llm=llm)
        count = wired.server.accepted_connections
        assert count == 1, f"{count} connections for three calls with equal client keys; use services.client"

    @needs("chat")
    def test_each_credential_travels_with_its_own_calls(self, wired: Rig) -> None:
        other = wired.llm(api_key=OTHER_KEY)
        for llm in (wired.llm(), other, wired.llm()):
            wired.call("chat", llm=llm)
        speaker = wired.server.wires[wired.wire]
        assert [speaker.key(request) for request in wired.server.requests] == [KEY, OTHER_KEY, KEY]

    @needs("chat")
    def test_one_llm_serves_several_event_loops(self) -> None:
        """Two asyncio.run on one LLM, and sync calls between them: one request each, and no loop is closed twice."""
        with contextlib.closing(Sync()) as colour, self.open_rig(colour) as rig:
            llm = rig.llm()
            with leftovers() as left:
                for _ in range(2):
                    assert asyncio.run(llm.acomplete(PROMPT)).text
                    gc.collect()
                    assert llm.complete(PROMPT).text
                rig.kernel.close()
            assert not left.warnings, f"ResourceWarning: {left.warnings[0]}"
            assert not rig.is_wired or rig.server.request_count == 4

    @needs("chat")
    def test_threads_share_one_llm(self) -> None:
        with contextlib.closing(Sync()) as colour, self.open_rig(colour) as rig:
            llm = rig.llm()
            with ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda _: llm.complete(PROMPT), range(12)))
            assert all(answer.text for answer in answers)
            assert not rig.is_wired or rig.server.request_count == 12

    @needs("chat")
    def test_tasks_share_one_llm(self) -> None:
        with contextlib.closing(Async()) as colour, self.open_rig(colour) as rig:
            llm = rig.llm()

            async def main() -> list[Any]:
                found: list[Any] = await asyncio.gather(*(llm.acomplete(PROMPT) for _ in range(12)))
                return found

            assert all(answer.text for answer in colour.await_(main()))
            assert not rig.is_wired or rig.server.request_count == 12

    @needs()
    def test_nothing_is_left_behind(self, colour: Colour) -> None:
        """No thread, task, descriptor or ResourceWarning after a kernel's whole life."""
        kind = COLOURS[colour.name]
        self._life(kind())  # whatever is made once per process is made now
        with leftovers() as left:
            tasks = self._life(kind())
        assert not tasks, f"tasks are left: {', '.join(tasks)}"
        assert not left.threads, f"threads are left: {', '.join(left.threads)}"
        assert not left.descriptors, f"descriptors are left: {', '.join(left.descriptors)}"
        assert not left.warnings, f"ResourceWarning: {left.warnings[0]}"

    @needs("chat")
    def test_closing_the_kernel_closes_the_connections(self, wired: Rig) -> None:
        wired.call("chat")
        wired.colour.close_kernel(wired.kernel)
        try:
            wired.colour.wait(wired.server, lambda server: server.connections == 0, PATIENT)
        except AssertionError:
            pytest.fail(f"{wired.server.connections} connections are open after the kernel was closed")

    # Exports

    @pytest.mark.parametrize("name", ["to_client", "to_aclient", "to_anthropic_client", "to_anthropic_aclient"])
    def test_an_export_works_or_says_that_there_is_none(self, rig: Rig, name: str) -> None:
        llm = rig.llm()
        colour = rig.colour if not name.endswith("aclient") else Async()
        with contextlib.ExitStack() as stack:
            if colour is not rig.colour:
                stack.callback(colour.close)

            async def asynchronous() -> Any:
                return getattr(llm, name)()

            try:
                client = colour.run(lambda: getattr(llm, name)(), asynchronous)
            except ExportError:
                return
            if "anthropic" not in name and not self.openai_exports:
                assert client is not None
                return
            endpoint = client.messages if "anthropic" in name else client.chat.completions
            assert callable(endpoint.create), f"{name}() returned no client of that SDK"

    @only_if(lambda contract, _: "" if contract.openai_exports else "it exports no clients of the openai SDK")
    def test_an_exported_client_reaches_the_endpoint(self, wired: Rig) -> None:
        llm = wired.llm()
        messages = [{"role": "user", "content": "hi"}]
        try:
            arguments = llm.to_args()

            async def asynchronous() -> Any:
                return await llm.to_aclient().chat.completions.create(messages=messages, **arguments)

            answer = wired.colour.run(
                lambda: llm.to_client().chat.completions.create(messages=messages, **arguments), asynchronous
            )
        except ExportError as error:
            pytest.skip(str(error))
        assert answer.choices[0].message.content
        # A gateway that routes may put the provider in front.
        assert str(arguments["model"]).endswith(llm.spec.model_id)
        assert wired.server.wires[wired.wire].key(wired.server.requests[0]) == KEY

    def _life(self, colour: Colour) -> list[str]:
        """A kernel's life; the names of the tasks that outlive it."""
        try:
            with self.open_rig(colour) as rig:
                verbs = [verb for verb in ("chat", "stream") if self.can(rig, verb)]
                for verb in verbs:
                    rig.call(verb)
                if "stream" in verbs:
                    rig.colour.take(rig.llm(), PROMPT)
                if self.can(rig, "embeddings"):
                    rig.call("embed")
                if rig.is_wired:
                    for verb in verbs:
                        for fault in ("S5.500", "N2.b", "E2.1"):
                            with contextlib.suppress(HBError):
                                rig.call(verb, fault)
            names: list[str] = colour.run(list, _tasks)
            return names
        finally:
            colour.close()


async def _tasks() -> list[str]:
    current = asyncio.current_task()
    return [task.get_name() for task in asyncio.all_tasks() if task is not current]
