"""Answers in the background on the Responses wire: made, looked up and cancelled by their ids."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from hb_wire_openai.responses import answers
from heavenbase.http import as_object, decode_json, shape_error, text_or_none
from heavenbase.operations import JOB_STATES, Job
from heavenbase.wires import generation_failed

if TYPE_CHECKING:
    from hb_wire_openai.attempt import WireAttempt
    from hb_wire_openai.gateway import WireGateway
    from heavenbase.call import Call


class Background:
    """What a gateway on this wire does beside its chats."""

    def __init__(self, gateway: WireGateway) -> None:
        self._gateway = gateway

    async def submit(self, call: Call) -> Job:
        """Have a chat answered in the background."""
        # Prepared as a chat is, so that what would be lost of it is refused.
        request = self._gateway._prepared(call.replace(verb="complete"))
        return await self._gateway.exchange(call, request, job, is_json=False)

    async def retrieve(self, call: Call) -> Job:
        """The job of an id as it is now."""
        request = self._gateway.request(call, self._path(call), {})
        named = call.args.get("wire_include") or ()
        query = urlencode([("include[]", name) for name in ([named] if isinstance(named, str) else named)])
        url = f"{request.url}{'&' if '?' in request.url else '?'}{query}" if query else request.url
        return await self._gateway.exchange(call, replace(request, method="GET", url=url), job, is_json=False)

    async def cancel(self, call: Call) -> Job:
        """Stop the job of an id."""
        request = self._gateway.request(call, f"{self._path(call)}/cancel", {})
        return await self._gateway.exchange(call, request, job, is_json=False)

    def _path(self, call: Call) -> str:
        return f"responses/{quote(str(call.subject), safe='')}"


def job(attempt: WireAttempt, body: Any) -> Job:
    """The job in an answer; ResponseShapeError when it is none."""
    call = attempt.call
    found = as_object(call, decode_json(body), "the answer")
    known, status = text_or_none(found.get("id")), found.get("status")
    if known is None or not isinstance(status, str) or status not in JOB_STATES:
        if found.get("error"):
            raise attempt.embedded(found["error"])
        raise shape_error(call, f"the answer is no job: its id is {known!r}, its status {status!r}")
    usage, model = answers.usage(found, found.get("output")), text_or_none(found.get("model"))
    made = Job(known, status, usage=usage, model=model, raw=found)
    if status in ("failed", "cancelled"):
        said = found.get("error")
        made.error = attempt.embedded(said) if said else generation_failed(call, status)
    elif made.is_done:
        made.completion = answers.completion_of_response(call, found, attempt.thinking)
    return made
