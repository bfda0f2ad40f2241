"""Checks of batches: the request of a row is that of a live call, and its answer what a live call answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.gateway import BATCHES, GatewayBase
from hb_testing.conformance.needs import needs
from heavenbase.colour import drive
from heavenbase.errors import InputError, ResponseError, UnsupportedError
from heavenbase.messages import to_messages
from heavenbase.operations import BATCH_STATES, BatchPart, ask

if TYPE_CHECKING:
    from hb_testing.conformance.rig import Rig

CONTENT: dict[str, dict[str, Any]] = {
    "complete": {"messages": to_messages("How much is it?")},
    "embed": {"inputs": ["one", "two three"]},
    "imagen": {"prompt": "a cat"},
}
LOOKS = 20
PASSING = ("created_at", "elapsed", "attempts", "request_id", "served_by", "hops", "report", "raw", "id")
"""What an answer says of its own making, and so differs."""


class BatchChecks(GatewayBase):
    """Operations on batches make and read what live calls do, for each of the verbs that the gateway says."""

    def flow(self, rig: Rig, make: Any) -> Any:
        """What a coroutine brings in the rig's colour; `make` gets whether it is async."""
        return rig.colour.run(lambda: drive.run(make(False)), lambda: make(True))

    def on_call(self, rig: Rig, verb: str, operation: str, subject: Any, **options: Any) -> Any:
        """What an operation makes of a call, or of a line for it."""
        llm = rig.llm_for(verb)

        def made(is_async: bool) -> Any:
            call = rig.kernel.call(verb, llm.spec, options, is_async=is_async, **CONTENT[verb])
            return rig.kernel.answer_once(call.replace(verb=operation, subject=subject))

        return self.flow(rig, made)

    def ask_job(self, rig: Rig, operation: str, subject: Any) -> Any:
        """What an operation on jobs answers."""
        return self.flow(rig, lambda is_async: ask(rig.llm(), operation, {}, is_async=is_async, subject=subject))

    def live(self, rig: Rig, verb: str) -> Any:
        """What a live call answers."""
        llm = rig.llm_for(verb)
        return self.flow(
            rig,
            lambda is_async: rig.kernel.answer(
                rig.kernel.call(verb, llm.spec, {"cache": False}, is_async=is_async, **CONTENT[verb])
            ),
        )

    def verbs(self, rig: Rig) -> list[str]:
        """The verbs of which the gateway's batches are."""
        found = list(getattr(rig.gateway.batches, "verbs", ("complete",)))  # type: ignore[attr-defined]
        assert set(found) <= CONTENT.keys(), f"batches.verbs says {found}"
        return found

    @needs(BATCHES)
    def test_v6_a_job_says_what_it_holds(self, rig: Rig) -> None:
        batches: Any = rig.gateway.batches  # type: ignore[attr-defined]
        for name in ("most_requests", "most_bytes"):
            assert isinstance(getattr(batches, name), int), f"batches.{name} is no number"
            assert getattr(batches, name) > 0
        for name in ("has_metadata", "has_mixed_models"):
            assert isinstance(getattr(batches, name), bool), f"batches.{name} is not True or False"
        for name in ("entry", "submit", "get", "list", "cancel", "results", "answer"):
            assert callable(getattr(batches, name, None)), f"batches.{name} is missing"

    @needs(BATCHES, "server")
    def test_v6_the_request_of_a_row_is_that_of_a_live_call(self, rig: Rig) -> None:
        for verb in self.verbs(rig):
            self.live(rig, verb)
            sent = rig.server.requests[-1].json
            before = len(rig.server.requests)
            entry = self.on_call(rig, verb, "batches.entry", "row-1")
            assert isinstance(entry, BatchPart)
            [line] = entry.lines
            assert b"\n" not in line
            assert len(rig.server.requests) == before, "an entry sends nothing"
            found = json.loads(line)
            assert "row-1" in _leaves(found), "the entry does not have its name"
            assert any(part == sent for part in _objects(found)), f"{verb}: {found} has not the live body {sent}"

    @needs(BATCHES, "server")
    def test_v6_the_answer_of_a_row_is_that_of_a_live_call(self, rig: Rig) -> None:
        for verb in self.verbs(rig):
            wanted = _told(self.live(rig, verb))
            made = self.on_call(rig, verb, "batches.entry", "row-1")
            job = self.ask_job(rig, "batches.submit", made)
            for _ in range(LOOKS):
                if job.is_done:
                    break
                assert job.status in BATCH_STATES
                job = self.ask_job(rig, "batches.get", job.id)
            assert job.status == "completed", f"after {LOOKS} looks the job is {job.status}"
            assert job.id in [each.id for each in self.ask_job(rig, "batches.list", 10)]
            pieces: list[bytes] = []
            self.ask_job(rig, "batches.results", (job, pieces.append))
            [line] = [it for it in b"".join(pieces).splitlines() if it.strip()]
            before = len(rig.server.requests)
            answer = self.on_call(rig, verb, "batches.answer", line)
            assert len(rig.server.requests) == before, "reading an answer sends nothing"
            assert _told(answer) == wanted

    @needs(BATCHES, "server")
    def test_v6_what_no_batch_has_is_refused_before_anything_is_sent(self, rig: Rig) -> None:
        for verb in CONTENT.keys() - set(self.verbs(rig)):
            with pytest.raises((UnsupportedError, InputError)):
                self.on_call(rig, verb, "batches.entry", "row-1")
        with pytest.raises((UnsupportedError, InputError)):
            self.on_call(rig, "complete", "batches.entry", "row-1", extra_headers={"x-a": "b"})
        assert rig.server.requests == []

    @needs(BATCHES)
    @pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"null", b"\xff", b'{"custom_id": "row-1"}', b"[" * 10_000])
    def test_v6_a_line_that_is_no_result_is_an_error(self, rig: Rig, line: bytes) -> None:
        with pytest.raises(ResponseError):
            self.on_call(rig, "complete", "batches.answer", line)


def _told(answer: Any) -> dict[str, Any]:
    found = {name: value for name, value in answer.to_dict().items() if name not in PASSING}
    if found.get("usage"):
        found["usage"].pop("tier", None)  # which batches have of their own
    return found


def _objects(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, list):
        return [each for item in found for each in _objects(item)]
    return [found, *(each for item in found.values() for each in _objects(item))] if isinstance(found, dict) else []


def _leaves(found: dict[str, Any]) -> list[Any]:
    return [value for each in _objects(found) for value in each.values() if isinstance(value, str)]
