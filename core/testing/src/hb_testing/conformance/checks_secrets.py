"""Checks of credentials: nowhere but in the header that carries them."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import needs
from hb_testing.conformance.rig import KEY, LIMITS
from hb_testing.conformance.sandbox import records
from heavenbase.errors import CredentialFormatError, HBError
from heavenbase.secrets import scrubber

if TYPE_CHECKING:
    from hb_testing.conformance.rig import Rig

FAULTS = (
    "S1.401",
    "S1.400",
    "S5.500",
    "S5.502",
    "B1.html",
    "B1.invalid-json",
    "N2.b",
    "N2.c",
    "E1.after",
    "E2.1",
    "E9.a",
)


class SecretChecks(GatewayBase):
    """The key of every check is a canary; here it is looked for."""

    @needs("chat")
    def test_the_credential_travels_in_a_header_only(self, wired: Rig) -> None:
        wired.call("chat")
        sent = wired.server.requests[0]
        assert wired.server.wires[wired.wire].key(sent) == KEY, "the endpoint does not get the credential"
        assert KEY not in sent.path
        assert KEY.encode() not in sent.body
        assert sum(KEY in value for value in sent.headers.values()) == 1

    @needs("chat")
    def test_what_it_shows_holds_no_credential(self, rig: Rig) -> None:
        """Objects, their text, their dictionaries, and what they pickle to."""
        llm = rig.llm()
        answer = rig.call("chat", llm=llm)
        shown = [repr(llm), repr(llm.spec), str(llm.spec.to_dict()), repr(rig.gateway), repr(vars(rig.gateway))]
        shown += [repr(rig.kernel), repr(answer), str(answer), str(answer.to_dict()), _pickled(answer)]
        _assert_clean(shown)

    @needs("chat")
    def test_no_error_holds_a_credential(self, wired: Rig) -> None:
        """Text, traceback, chain of causes, fields, and what they pickle to."""
        for fault in FAULTS:
            for verb in ("chat", "stream"):
                if not self.can(wired, verb):
                    continue
                try:
                    wired.call(verb, fault, timeout=replace(LIMITS, first_token=0.05))
                except HBError as error:
                    _assert_clean(_forms(error), fault)

    @needs("chat")
    def test_no_log_record_holds_a_credential(self, wired: Rig) -> None:
        """At DEBUG, of every logger, the SDK's too."""
        with records() as lines:
            wired.call("chat")
            for fault in FAULTS[:6]:
                with pytest.raises(HBError):
                    wired.call("chat", fault)
        _assert_clean(lines)

    @pytest.mark.parametrize(
        "bad", [f"{KEY}\n", f"{KEY}\r\nx-more: 1", "ключ-" + KEY], ids=["newline", "crlf", "letters"]
    )
    @needs("chat")
    def test_a_credential_that_no_header_can_carry_is_refused(self, wired: Rig, bad: str) -> None:
        with pytest.raises(CredentialFormatError) as caught:
            wired.call("chat", llm=wired.llm(api_key=bad))
        _assert_clean(_forms(caught.value))
        assert wired.server.request_count == 0


def _forms(error: BaseException) -> list[str]:
    found = [_pickled(error), "".join(traceback.format_exception(error))]
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        found += [str(cause), repr(cause), repr(cause.args), repr(getattr(cause, "__dict__", {}))]
        cause = cause.__cause__ or cause.__context__
    return found


def _pickled(value: Any) -> str:
    return pickle.dumps(value).decode("latin-1")


def _assert_clean(texts: list[str], where: str = "") -> None:
    scrub = scrubber([KEY])
    for text in texts:
        if scrub(text) != text:
            place = scrub(text)
            at = place.find("***")
            pytest.fail(f"{where} shows the credential: …{place[max(0, at - 120) : at + 60]}…".strip())
