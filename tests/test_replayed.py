"""What a caller gives in a vendor's own shape is sent as it is, or the report tells what became of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hb_testing.conformance.rig import environment
from heavenbase.config.config import Config
from heavenbase.errors import ServerError
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.messages import to_messages
from tests.replayed import REQUESTS, Native, differences
from tests.told import KEYS, SETTINGS, Given

pytestmark = pytest.mark.filterwarnings("ignore::heavenbase.errors.HBWarning")


class Noted(Given):
    """A transport that keeps the last body, and answers with an error."""

    body: Any = None

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.body = json.loads(request.body)
        return super().send(request)


@pytest.mark.parametrize("native", REQUESTS, ids=lambda it: it.name)
def test_a8_a_native_request_is_sent_as_it_is(native: Native) -> None:
    messages, options = native.given()
    noted = Noted()
    with Kernel(Config.from_dict(SETTINGS, environ=environment(**KEYS)), transport=noted) as kernel:
        spec = LLM(model=native.model, provider=native.provider, kernel=kernel, **native.options).spec
        content = {"messages": to_messages(messages)}
        call = kernel.call("complete", spec, options, is_async=False, stream=native.stream, **content)
        with pytest.raises(ServerError):
            [*kernel.iterate(call)] if native.stream else kernel.run(call)
    asked = json.loads(json.dumps(native.body))
    found = {place for place in differences(asked, noted.body) if not place.startswith((".model", ".stream"))}
    report = call.context.report
    lost = {it.name: it.reason for it in report.entries.values() if it.outcome in ("dropped", "clamped")}
    assert (found, lost.keys()) == (native.differs, set(native.told)), report.to_dict()
