"""Recorded exchanges of all providers: nothing that came is lost, and nothing that was asked.

They are no part of the project: `HB_CASSETTES=FOLDER pytest tests/test_recordings.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from heavenbase.errors import ServerError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.messages import to_messages
from tests.recordings import Recording, leaves, recordings, typed
from tests.replayed import Native, differences
from tests.test_replayed import Noted, config

FOLDER = os.environ.get("HB_CASSETTES")
pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="needs recordings: HB_CASSETTES=FOLDER"),
    pytest.mark.filterwarnings("ignore::heavenbase.errors.HBWarning"),
]
ALL = pytest.mark.parametrize(
    "recording", list(recordings(Path(FOLDER))) if FOLDER else [], ids=lambda it: getattr(it, "name", it)
)
TOLD_OTHERWISE = (".stream", ".model", ".systemInstruction.role", ".input")
"""Fields that hb says by itself or in an equal form."""


@ALL
def test_b12_every_field_of_a_recorded_answer_is_typed_or_in_raw(recording: Recording) -> None:
    answer = recording.answer()
    raw = set(leaves(answer.raw))
    values, texts = typed(answer)
    lost = {
        path
        for event in recording.events()
        for path, value in leaves(event)
        if (path, value) not in raw and value not in values and str(value) not in texts
    }
    # Events that bring nothing leave their names behind.
    assert lost <= {"type", "content_block.type"}


@ALL
def test_a8_every_field_of_a_recorded_request_is_sent_or_reported(recording: Recording) -> None:
    native = Native("", recording.provider, recording.model, recording.request, options=recording.options)
    messages, options = native.given()
    noted = Noted()
    with Kernel(config(), transport=noted) as kernel:
        spec = LLM(model=native.model, provider=native.provider, kernel=kernel, **native.options).spec
        content = {"messages": to_messages(messages)}
        call = kernel.call("complete", spec, options, is_async=False, stream=recording.stream, **content)
        with pytest.raises(ServerError):
            [*kernel.iterate(call)] if recording.stream else kernel.run(call)
    asked = json.loads(json.dumps(recording.request))
    given = {place for place, value in places(asked) if value not in (None, "", [], {})}
    told = {f".{entry}" for entry in call.context.report.entries}
    lost = {place for place in differences(asked, noted.body) if place in given}
    assert {it for it in lost if not it.startswith((*TOLD_OTHERWISE, *told))} == set()


def places(value: object, path: str = "") -> list[tuple[str, object]]:
    """Each place within a body, with its value."""
    found = [(path, value)]
    if isinstance(value, dict):
        found += [it for name, inner in value.items() for it in places(inner, f"{path}.{name}")]
    if isinstance(value, list):
        found += [it for number, inner in enumerate(value) for it in places(inner, f"{path}[{number}]")]
    return found
