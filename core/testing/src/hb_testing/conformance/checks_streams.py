"""Checks of streams: live, proved complete, closed when left, and cut in every way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import needs, only_if
from hb_testing.server import FAULT_TEXT, FAULT_TOKENS
from heavenbase import errors
from heavenbase.errors import HBError

if TYPE_CHECKING:
    from hb_testing.conformance.rig import Rig
    from heavenbase.types import Chunk

SECOND = 3.0
"""Seconds that a loaded machine may take for what should be at once."""
LINE_ENDS = ("E4.lf-bytes", "E4.cr", "E4.cr-bytes", "E4.cr-cut", "E4.crlf", "E4.crlf-bytes", "E4.crlf-cut")
ERROR_EVENTS = only_if(
    lambda contract, _: "" if contract.speaks().has_error_events else "streams of its wire carry no errors"
)


class StreamChecks(GatewayBase):
    """A stream is live, and its success is proved."""

    @needs("stream")
    def test_the_first_chunk_comes_before_the_server_ends(self, wired: Rig) -> None:
        """The server sends one token and holds the rest back."""
        try:
            first = wired.colour.take(wired.llm("E9.c"), "hi", timeout={"idle": SECOND, "first_token": SECOND})
        except HBError as error:
            pytest.fail(f"no chunk came while the server held the rest back ({error.kind}): the stream is buffered")
        assert first.text == FAULT_TOKENS[0]

    @pytest.mark.parametrize("leave", ["close", "drop"])
    @needs("stream")
    def test_leaving_a_stream_closes_its_connection(self, wired: Rig, leave: str) -> None:
        """By break and close, or by forgetting the iterator: the provider must not go on for nobody."""
        wired.colour.take(wired.llm("E9.c"), "hi", drop=leave == "drop")
        try:
            wired.colour.wait(wired.server, lambda server: server.requests[0].closed_at is not None, SECOND)
        except AssertionError:
            pytest.fail("the connection of a stream that was left is still open")

    @needs("stream")
    def test_a_finished_stream_gives_its_connection_back(self, wired: Rig) -> None:
        for _ in range(3):
            wired.call("stream")
        assert wired.server.accepted_connections == 1, "every stream opens a connection of its own"

    @pytest.mark.parametrize("fault", ["E1.before", "E1.after", "E1.before-eof", "E1.after-eof"])
    @needs("stream")
    def test_a_stream_without_its_end_is_truncated(self, wired: Rig, fault: str) -> None:
        """A clean end of the connection proves nothing."""
        error = wired.error("stream", fault)
        assert type(error) is errors.StreamTruncated, f"{fault} became {type(error).__name__}"
        if ".before" in fault:
            assert error.partial is None or not error.partial.text
        else:
            self.assert_partial(error, FAULT_TEXT)

    @needs("stream")
    @only_if(
        lambda contract, _: "" if contract.speaks().end_marker else "nothing but the finish reason ends its streams"
    )
    def test_a_finish_reason_is_never_invented(self, wired: Rig) -> None:
        """Content, then at once the wire's own end: an error, or an answer that ended for a reason nobody gave."""
        try:
            chunks = wired.call("stream", "E1.no-finish")
        except errors.StreamTruncated:
            return
        reasons = {(c.finish_reason, c.raw_finish_reason) for c in chunks if c.finish_reason or c.raw_finish_reason}
        assert reasons == {("other", None)}, f"the provider gave no finish reason, the chunks have {reasons}"

    @needs("stream")
    def test_a_stream_that_breaks_is_interrupted(self, wired: Rig) -> None:
        error = wired.error("stream", "E2.3")
        assert type(error) is errors.StreamInterrupted, f"a reset after content became {type(error).__name__}"
        self.assert_partial(error, "".join(FAULT_TOKENS[:3]))
        assert error.maybe_billed

    @needs("stream")
    def test_a_broken_stream_is_not_tried_again_after_content(self, wired: Rig) -> None:
        """Nothing is delivered twice."""
        wired.error("stream", "E2.3", max_retries=2)
        assert wired.server.request_count == 1

    @needs("stream")
    @ERROR_EVENTS
    def test_an_error_event_before_content_is_that_error(self, wired: Rig) -> None:
        error = wired.error("stream", "E3.a")
        # The event of some wires has no status in it, only words.
        assert isinstance(error, errors.ServerError), f"an error event of 503 became {type(error).__name__}"
        assert not isinstance(error, errors.StreamError)

    @needs("stream")
    @ERROR_EVENTS
    def test_an_error_event_after_content_interrupts(self, wired: Rig) -> None:
        error = wired.error("stream", "E3.b")
        assert type(error) is errors.StreamInterrupted, f"an error event after content became {type(error).__name__}"
        self.assert_partial(error, FAULT_TEXT)

    @needs("stream")
    def test_a_connection_closed_before_the_stream_is_a_transport_error(self, wired: Rig) -> None:
        error = wired.error("stream", "N2.b")
        assert type(error) is errors.TransportClosed, f"a reset before the answer became {type(error).__name__}"

    @pytest.mark.parametrize("fault", LINE_ENDS)
    @needs("stream")
    @only_if(
        lambda contract, given: (
            "only server-sent events have these line ends"
            if ".cr" in given["fault"] and contract.speaks().framing != "sse"
            else ""
        )
    )
    def test_pieces_and_line_ends_do_not_matter(self, wired: Rig, fault: str) -> None:
        """Byte by byte, also inside UTF-8 sequences; CR, LF and CRLF in server-sent events."""
        assert _text(wired.call("stream", fault)) == FAULT_TEXT

    @needs("stream")
    def test_a_stream_may_be_cut_anywhere(self, wired: Rig) -> None:
        llm = wired.llm("E4.lf")
        assert _text(wired.call("stream", llm=llm)) == FAULT_TEXT
        for position in range(1, 1200, 97):
            assert _text(wired.call("stream", f"E4.cut-{position}")) == FAULT_TEXT, f"cut at byte {position}"

    def assert_partial(self, error: HBError, text: str) -> None:
        """The error keeps what had come."""
        assert error.partial is not None, "what had come is not kept in error.partial"
        assert error.partial.text == text
        assert error.partial.finish_reason == "other", "a finish reason was invented"


def _text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)
