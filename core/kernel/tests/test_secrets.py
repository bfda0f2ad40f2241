"""Secret: never shown, checked before it is sent, scrubbed from texts."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import traceback
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.errors import CredentialFormatError, InputTypeError
from heavenbase.secrets import Secret, redact, scrubber

CANARY = "sk-canary-7Hq2/x+Y=="
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=40)
PRINTABLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def test_only_reveal_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    logging.getLogger("test").warning("%s %r", secret, {"key": secret})
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{secret:>30}", format(secret), "%s" % secret]  # noqa: UP031
    shown += [json.dumps({"key": secret}, default=str), repr([secret]), str(vars), caplog.text]
    assert [text for text in shown if CANARY in text] == []
    assert secret.reveal() == CANARY
    with pytest.raises(TypeError):
        vars(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_refuses_to_be_pickled(protocol: int) -> None:
    with pytest.raises(InputTypeError, match="never pickled"):
        pickle.dumps({"key": Secret(CANARY)}, protocol)


def test_it_can_be_copied_compared_hashed_and_asked_whether_it_is_empty() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"key": secret})["key"] is secret
    assert secret == Secret(CANARY) == Secret(secret)
    assert hash(secret) == hash(Secret(CANARY))
    assert len({secret, Secret(CANARY), Secret("other")}) == 2
    assert secret != Secret("other")
    assert (secret == CANARY) is False
    assert hash(secret) != hash(CANARY)
    assert secret
    assert not Secret("")
    assert Secret("é\ud800") == Secret("é\ud800")


def test_it_holds_strings_only() -> None:
    with pytest.raises(InputTypeError, match="not int"):
        Secret(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (CANARY + "\n", "ends with a newline"),
        (CANARY + "\r\n", "ends with a newline"),
        (CANARY + "\r\nX-Injected: 1", "holds a line break"),
        ("a\n" + CANARY, "holds a line break"),
        (" " + CANARY, "begins or ends with white space"),
        (CANARY + "\t", "begins or ends with white space"),
        (CANARY + " " + CANARY, "holds white space"),
        (CANARY + "\u00a0x", "holds white space"),
        (CANARY + "é", "holds a character that is not ASCII"),
        ("“" + CANARY, "holds a character that is not ASCII"),
        (CANARY + "\x00", "holds a control character"),
        (CANARY + "\x7f", "holds a control character"),
        ("Bearer " + CANARY, "begins with 'Bearer '"),
        (f'"{CANARY}"', "stands in quotation marks; remove them"),
        (f"'{CANARY}'", "stands in quotation marks; remove them"),
        ("your-api-key-here", "is still the placeholder of an example"),
        ("<your key>", "is still the placeholder of an example"),
        ("None", "is the word 'None'"),
        ("null", "is the word 'null'"),
        ("${OPENAI_API_KEY}", "still holds a ${"),
        ("${env:OPENAI_API_KEY}", "still holds a ${"),
        (None, "must be a string, not NoneType"),
        (b"bytes", "must be a string, not bytes"),
    ],
)
def test_g3_what_cannot_be_sent_is_refused_and_not_repeated(value: object, problem: str) -> None:
    with pytest.raises(CredentialFormatError) as caught:
        Secret.check(value, "OPENAI_API_KEY")
    assert str(caught.value).startswith(f"OPENAI_API_KEY {problem}")
    frames = traceback.StackSummary.extract(traceback.walk_tb(caught.tb), capture_locals=True)
    ours = [repr(frame.locals) for frame in frames if frame.filename.endswith("/secrets.py")]
    assert ours
    assert CANARY not in str(caught.value) + "".join(ours)


@given(VALUES.filter(lambda value: "${" not in value))
def test_g3_any_printable_ascii_value_is_accepted(value: str) -> None:
    assert Secret.check(value, "KEY").reveal() == value
    assert Secret.check(Secret(value), "KEY") == Secret(value)


@given(st.text(max_size=30))
def test_g3_what_is_accepted_is_safe_in_a_header(value: str) -> None:
    try:
        secret = Secret.check(value, "KEY")
    except CredentialFormatError:
        return
    assert all(0x21 <= ord(character) <= 0x7E for character in secret.reveal())
    assert secret.reveal() not in ("", "None")


def test_the_fingerprint_tells_credentials_and_installations_apart() -> None:
    found = Secret(CANARY).fingerprint(b"k" * 32)
    assert len(bytes.fromhex(found)) == 32
    assert found == Secret(CANARY).fingerprint(b"k" * 32)
    assert len({found, Secret("other").fingerprint(b"k" * 32), Secret(CANARY).fingerprint(b"x" * 32)}) == 3
    with pytest.raises(InputTypeError, match="empty"):
        Secret(CANARY).fingerprint(b"")


@given(value=VALUES, before=PRINTABLE, after=PRINTABLE)
def test_every_encoding_of_a_secret_is_scrubbed(value: str, before: str, after: str) -> None:
    encodings = [
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value)[1:-1].replace("/", "\\/"),
        repr(value)[1:-1],
    ]
    for encoding in encodings:
        text = f"<{before}|{encoding}|{after}>"
        assert encoding not in redact(text, [Secret(value)])


@given(value=VALUES, user=st.text("abcdef", max_size=6), tail=st.text("xyz", max_size=4))
def test_base64_of_a_secret_is_scrubbed_at_any_alignment(value: str, user: str, tail: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        header = "Basic " + encode(f"{user}:{value}{tail}".encode()).decode()
        found = redact(header, [Secret(value)])
        assert "***" in found
        assert len(found) < len(header) - len(value) + 6


def test_the_longest_secret_is_scrubbed_first() -> None:
    assert redact("token-abcdef token-abc", ["token-abc", Secret("token-abcdef")]) == "*** ***"


def test_short_and_empty_secrets_are_left_alone() -> None:
    text = "the x of abc"
    assert redact(text, ["", "x", Secret("abc")]) == text
    assert scrubber([])(text) == text


def test_a_secret_with_a_stray_newline_is_scrubbed_without_it() -> None:
    assert redact(f"key={CANARY};", [Secret(CANARY + "\n")]) == "key=***;"


def test_secrets_that_are_not_ascii_are_scrubbed_too() -> None:
    value = "schlüssel-😀-ende"
    for text in (value, quote(value), json.dumps(value), quote(value).lower()):
        assert "***" in redact(text, [value])
        assert "ssel" not in redact(text, [value])


def test_one_scrubber_serves_many_secrets_and_texts() -> None:
    scrub = scrubber(f"secret-number-{number}" for number in range(100))
    assert scrub("a secret-number-42 b secret-number-7") == "a *** b ***"
    assert scrub("nothing here") == "nothing here"
