"""Checks of failures before any content: statuses, malformed bodies, broken connections, redirects, retries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import needs
from hb_testing.conformance.rig import KEY, LIMITS
from hb_testing.server import LoopbackServer, refused_port, tls_server
from heavenbase import errors
from heavenbase.errors import HBError, ProviderError

if TYPE_CHECKING:
    from hb_testing.conformance.colours import Colour
    from hb_testing.conformance.rig import Rig

STATUSES: tuple[tuple[str, type[HBError], bool, int], ...] = (
    ("S1.400", errors.RequestRejected, False, 400),
    ("S1.401", errors.AuthError, False, 401),
    ("S1.403", errors.AuthError, False, 403),
    ("S1.404", errors.ModelNotFound, False, 404),
    ("S1.422", errors.RequestRejected, False, 422),
    ("S2.402", errors.QuotaExhausted, False, 402),
    ("S2.429", errors.QuotaExhausted, False, 429),
    ("S3.number", errors.RateLimitError, True, 429),
    ("S4.should-retry", errors.Overloaded, False, 503),
    ("S5.500", errors.ServerError, True, 500),
    ("S5.502", errors.ServerError, True, 502),
    ("S5.503", errors.Overloaded, True, 503),
    ("S5.504", errors.ServerError, True, 504),
    ("S5.529", errors.Overloaded, True, 529),
)
BY_STATUS: dict[str, type[HBError]] = {
    "401": errors.AuthError,
    "429": errors.RateLimitError,
    "502": errors.ServerError,
    "503": errors.Overloaded,
    "529": errors.Overloaded,
}
LEGAL = ("B3.surrogate", "B3.nul")
"""Odd answers that are answers."""
HUGE = ("B4", "B5", "E7")
"""Faults that send megabytes; the kit stays quick without them."""
SILENT = ("E6", "E9")
"""Faults that end with a time limit, which the checks of time are about."""
OF_STREAMS = tuple(f"E{number}" for number in range(1, 9))
"""Faults of streams, which verbs without streams need not meet."""
PIECES = ("E4",)
"""Good answers in thousands of pieces, each of which a check of streams reads whole."""
SHORT = replace(LIMITS, first_token=0.5, idle=0.5, stall=0.5, total=1.0)


class ErrorChecks(GatewayBase):
    """Every failure has a name in hb's tree."""

    @pytest.mark.parametrize(("fault", "kind", "retryable", "status"), STATUSES, ids=[row[0] for row in STATUSES])
    @needs("chat")
    def test_a_status_becomes_its_error(
        self, wired: Rig, fault: str, kind: type[HBError], retryable: bool, status: int
    ) -> None:
        error = wired.error("chat", fault)
        assert type(error) is kind, f"{status} became {type(error).__name__}, not {kind.__name__}"
        assert (error.status, error.retryable) == (status, retryable)
        assert error.request_id == ("req_1" if self.speaker(wired).request_id_header else None)
        assert error.provider == wired.llm().spec.provider
        assert error.model
        assert [attempt.status for attempt in error.attempts] == [status]
        assert len(str(error)) < 1000

    @pytest.mark.parametrize("verb", ["stream", "embed", "imagen"])
    @pytest.mark.parametrize(("fault", "kind"), [("S1.401", errors.AuthError), ("S5.500", errors.ServerError)])
    @needs("verb")
    def test_a_status_becomes_its_error_in_every_verb(
        self, wired: Rig, verb: str, fault: str, kind: type[HBError]
    ) -> None:
        error = wired.error(verb, fault)
        assert type(error) is kind, f"{fault} became {type(error).__name__}, not {kind.__name__}"

    @pytest.mark.parametrize(
        ("fault", "seconds"), [("S3.number", 2), ("S3.date", 2), ("S3.ms", 2), ("S4.retry-after", 3600)]
    )
    @needs("chat")
    def test_retry_after_is_kept(self, wired: Rig, fault: str, seconds: float) -> None:
        error = wired.error("chat", fault)
        assert error.retry_after is not None, "retry_after is lost"
        # A date has whole seconds, and time passes between the two clocks.
        assert seconds - 1 <= error.retry_after <= seconds + 1

    @pytest.mark.parametrize("verb", ["chat", "stream"])
    @needs("verb")
    def test_only_hb_retries(self, wired: Rig, verb: str) -> None:
        """With max_retries=0 there is one request: the SDK's own retries must be 0."""
        wired.error(verb, "S5.500", max_retries=0)
        count = wired.server.request_count
        assert count == 1, f"{count} requests for one attempt: set the SDK's own retries to 0"

    @pytest.mark.parametrize("verb", ["chat", "stream"])
    @needs("verb")
    def test_hb_retries_what_may_be_retried(self, wired: Rig, verb: str) -> None:
        error = wired.error(verb, "S5.503", max_retries=2)
        assert wired.server.request_count == len(error.attempts) == 3

    @needs("chat")
    def test_a_limited_call_waits_as_asked_and_succeeds(self, wired: Rig) -> None:
        answer = wired.call("chat", "S3.number", max_retries=2)
        assert answer.text
        assert len(wired.clock.slept) == 1
        assert 2.0 <= wired.clock.slept[0] <= 2.5
        assert [attempt.error for attempt in answer.attempts] == ["rate_limit", None]

    @pytest.mark.parametrize("verb", ["chat", "stream"])
    @needs("verb")
    def test_a_malformed_body_is_an_error(self, wired: Rig, verb: str) -> None:
        """Every fault B1, B2 and B3 of the wire; never an empty answer, never an exception of a parser."""
        for fault in self.faults(wired, "B1.", "B2.", "B3."):
            if fault in LEGAL:
                continue
            error = wired.error(verb, fault)
            kinds = self.malformed(fault)
            # A stream without a single event is one that was cut.
            if verb == "stream" and errors.ResponseError in kinds:
                kinds = (*kinds, errors.StreamTruncated)
            assert isinstance(error, kinds), f"{fault} became {type(error).__name__}: {error}"

    def malformed(self, fault: str) -> tuple[type[HBError], ...]:
        """What a fault of the body must become."""
        kind, _, name = fault.partition(".")
        if kind == "B2":
            return (BY_STATUS[name],)
        return (errors.ResponseDecodeError,) if kind == "B3" else (errors.ResponseError,)

    @pytest.mark.parametrize("fault", LEGAL)
    @needs("chat")
    def test_odd_but_legal_text_is_an_answer(self, wired: Rig, fault: str) -> None:
        text = wired.call("chat", fault).text
        # Half a surrogate pair is no character; it may be kept or replaced.
        assert text in ("a \x00 b", "half \ud800 pair", "half \ufffd pair")

    @needs("chat")
    def test_no_connection_is_a_connect_error(self, wired: Rig) -> None:
        with refused_port() as port:
            llm = wired.llm(**self.options(f"http://127.0.0.1:{port}/v1"))
            error = wired.error("chat", llm=llm)
        assert type(error) is errors.ConnectError, f"a refused port became {type(error).__name__}"
        assert error.retryable
        assert not error.maybe_billed

    @pytest.mark.parametrize("fault", ["N2.b", "N2.c"])
    @needs("chat")
    def test_a_closed_connection_is_a_transport_error(self, wired: Rig, fault: str) -> None:
        error = wired.error("chat", fault)
        assert type(error) is errors.TransportClosed, f"{fault} became {type(error).__name__}"
        assert error.maybe_billed, "the whole request was sent, so it may have been billed"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @needs("chat")
    def test_a_redirect_is_refused(self, wired: Rig, colour: Colour, status: int) -> None:
        with LoopbackServer(wires=self.wires()) as elsewhere:
            with self.open_rig(colour, redirect_to=elsewhere.origin) as rig:
                error = rig.error("chat", f"S6.{status}")
            assert type(error) is errors.RedirectRefused, f"{status} became {type(error).__name__}"
            assert elsewhere.request_count == 0, "the redirect was followed, with the credential"

    @needs("chat")
    def test_an_untrusted_certificate_is_refused(self, wired: Rig) -> None:
        pytest.importorskip("trustme", reason="needs trustme: pip install trustme")
        with tls_server("self-signed", wires=self.wires()) as server:
            error = wired.error("chat", llm=wired.llm(**self.options(server.url(wired.wire))))
            assert type(error) is errors.TLSVerifyError, f"a self-signed certificate became {type(error).__name__}"
            assert server.request_count == 0

    @pytest.mark.parametrize("verb", ["chat", "stream", "embed", "imagen"])
    @needs("verb")
    def test_no_fault_lets_a_foreign_exception_out(self, wired: Rig, verb: str) -> None:
        """Every fault of the wire: an answer, or an error that the gateway itself named."""
        wrong: list[str] = []
        for fault in self.faults(wired):
            if fault.startswith((*HUGE, *SILENT, *PIECES, "S6")) or (verb != "stream" and fault.startswith(OF_STREAMS)):
                continue
            try:
                wired.call(verb, fault, timeout=SHORT)
            except HBError as error:
                # The kernel wraps what is foreign into the base class.
                if type(error) is ProviderError:
                    wrong.append(f"{fault}: {error}")
            except Exception as error:
                wrong.append(f"{fault}: {type(error).__name__}")
        assert not wrong, "exceptions that are not of heavenbase.errors:\n" + "\n".join(wrong)
        assert wired.call(verb), "after the faults the gateway does not answer any more"

    @needs("chat")
    def test_no_fault_shows_the_credential(self, wired: Rig) -> None:
        """S1.401 repeats it, as providers do."""
        shown: list[Any] = []
        for fault in ("S1.401", "S1.400", "S5.502", "B1.html", "B1.invalid-json"):
            error = wired.error("chat", fault)
            shown += [str(error), repr(error), error.body, error.code]
        assert not [text for text in shown if KEY in str(text)]
