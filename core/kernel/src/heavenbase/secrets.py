"""Secrets: strings that are never shown, and the scrubbing of texts that may hold one.

A `Secret` is a credential. `Hidden` is a text that may hold one, say the value of a header: it works as the str that it
is, and only its repr says nothing. So logs, debuggers and tracebacks with locals show neither.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from heavenbase.errors import CredentialFormatError, InputError, InputTypeError

MASK = "***"
SHORTEST = 4
"""Values below this length are not scrubbed: a text without every `x` would be unreadable, and would tell the value."""

_BASE64_SHORTEST = 8
_EXAMPLE = re.compile(r"<[^<>]*>|your[\w -]*key[\w -]*", re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_SECRET_HEADER = re.compile(r"(?<!idempotency-)key|token|auth|secret|cookie|password|credential", re.IGNORECASE)


def is_secret_header(name: str) -> bool:
    """Whether a header of this name may hold a credential."""
    return _SECRET_HEADER.search(name) is not None


class Secret:
    """A string that shows itself only to `reveal()`: not in repr, str, format or logs, and never in a pickle.

    Two secrets are compared in constant time; a secret never equals a plain string. It is true unless empty.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | Secret) -> None:
        if not isinstance(value, str | Secret):
            raise InputTypeError(f"a Secret holds a string, not {type(value).__name__}")
        self._value: str = value._value if isinstance(value, Secret) else str(value)

    def reveal(self) -> str:
        """The string itself; call it where it is sent, and nowhere before."""
        return self._value

    @classmethod
    def check(cls, value: object, name: str) -> Secret:
        """The value as a Secret when it can be sent as a header, else CredentialFormatError.

        `name` says which credential it is, say the environment variable; the value is never repeated.
        """
        text = value.reveal() if isinstance(value, Secret) else value
        problem = _problem(text)
        if problem is None and isinstance(text, str):
            return cls(text)
        del text, value  # tracebacks may show locals
        raise CredentialFormatError(f"{name} {problem}")

    def fingerprint(self, key: bytes) -> str:
        """HMAC-SHA256 under `key` as 64 hex digits: tells credentials apart where the value must not be kept."""
        if not key:
            raise InputTypeError("the key of a fingerprint must not be empty")
        import hmac  # loads OpenSSL, which only few processes need here

        return hmac.new(key, _encoded(self._value), "sha256").hexdigest()

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        from hmac import compare_digest  # see fingerprint

        return compare_digest(_encoded(self._value), _encoded(other._value))

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise InputTypeError("a Secret is never pickled; hand over the name of its variable and read it there")


class Hidden(str):
    """A str that may hold a credential: plain wherever it is written, joined or sent, and `'***'` as a repr.

    What shortens long values for display takes a slice first, so that is hidden too. It is never pickled.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"

    def __getitem__(self, place: Any) -> Hidden:
        return Hidden(super().__getitem__(place))

    def __deepcopy__(self, memo: object = None) -> Hidden:
        return self

    __copy__ = __deepcopy__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise InputTypeError("a value that may hold a credential is never pickled; give it again there")


Hidden.__name__ = "str"  # messages say of which type a value is that somebody gave
_HiddenBytes = type("bytes", (bytes,), {"__slots__": (), "__repr__": lambda _: f"b'{MASK}'"})


class Unshown(tuple[Any, ...]):
    """A tuple whose repr shows nothing, say the headers of an answer: a server may say back what it got."""

    def __repr__(self) -> str:
        return f"({MASK})"


def hide(value: Any) -> Any:
    """Plain data with every text in it as `Hidden`; names in tables and other objects stay as they are."""
    try:
        return mapped(value, _hidden)
    except RecursionError:
        raise InputError("a value is nested too deeply, or holds itself") from None


def _hidden(leaf: Any) -> Any:
    if isinstance(leaf, str):
        return leaf if type(leaf) is Hidden else Hidden(leaf)
    return _HiddenBytes(leaf) if isinstance(leaf, bytes) else leaf


def mask(value: Any, text: str = MASK) -> Any:
    """Plain data for display: `text` in place of all that is hidden."""
    return mapped(value, lambda leaf: text if isinstance(leaf, Hidden | Secret) else leaf)


def veiled(value: Any) -> bool:
    """Whether something in plain data is hidden."""
    held = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return isinstance(value, Hidden) or any(map(veiled, held))


def scrubbed(value: Any, scrub: Callable[[str], str]) -> Any:
    """Plain data with every text in it as `scrub` leaves it."""
    return mapped(value, lambda leaf: scrub(leaf) if isinstance(leaf, str) else leaf)


def mapped(value: Any, leaf: Callable[[Any], Any] = lambda value: value) -> Any:
    """Deep-copy plain data, tuples as lists, with what `leaf` makes of every value that is no table or list."""
    if isinstance(value, Mapping):
        return {key: mapped(item, leaf) for key, item in value.items()}
    return [mapped(item, leaf) for item in value] if isinstance(value, list | tuple) else leaf(value)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _problem(text: object) -> str | None:
    if not isinstance(text, str):
        return f"must be a string, not {type(text).__name__}"
    again = "copy it again from where it was issued"
    ends = text.endswith(("\n", "\r")) and _PRINTABLE.fullmatch(text.rstrip("\r\n"))
    problems = {
        "is empty": not text.strip(),
        "ends with a newline; remove it, for example by reading the file with strip()": ends,
        "holds a line break, which no credential does": "\r" in text or "\n" in text,
        "begins with 'Bearer '; give the credential alone, hb adds the word": text.lower().startswith("bearer "),
        "begins or ends with white space; remove it": text != text.strip(),
        "stands in quotation marks; remove them": len(text) > 1 and text[0] in "'\"" and text[0] == text[-1],
        "is still the placeholder of an example; put the credential in its place": _EXAMPLE.fullmatch(text),
        "holds white space, which no credential does": any(map(str.isspace, text)),
        f"holds a character that is not ASCII; {again}": not text.isascii(),
        f"holds a control character; {again}": not _PRINTABLE.fullmatch(text),
        "is the word 'None', so whatever made it had no value": text == "None",
        "is the word 'null', so whatever made it had no value": text == "null",
        "still holds a ${...} that nothing has filled in": "${" in text,
    }
    return next((problem for problem, found in problems.items() if found), None)


def redact(text: str, secrets: Iterable[Secret | str]) -> str:
    """The text with every secret in it replaced by `***`; see `scrubber`."""
    return scrubber(secrets)(text)


def scrubber(secrets: Iterable[Secret | str]) -> Callable[[str], str]:
    """A function that replaces every one of these secrets in a text by `***`, longest first; make it once.

    Found are the exact value, its percent-encoded and JSON-escaped forms, any mixture of them, and base64 at any
    alignment. Values shorter than `SHORTEST` are left alone.
    """
    values = {(secret.reveal() if isinstance(secret, Secret) else secret).strip() for secret in secrets}
    ordered = sorted((value for value in values if len(value) >= SHORTEST), key=lambda value: (-len(value), value))
    if not ordered:
        return str
    forms = [
        form for value in ordered for form in ("".join(map(_pattern, value)), *map(re.escape, _base64_forms(value)))
    ]
    substitute = re.compile("|".join(forms)).sub
    return lambda text: substitute(MASK, text)


def told(error: BaseException, secrets: Iterable[Secret | str] = ()) -> str:
    """Class and text of an error for a log, scrubbed."""
    return redact(f"{type(error).__name__}: {text_of(error)}", secrets)


def text_of(error: BaseException) -> str:
    """The text of an error that somebody's code raised; what its `__str__` raises is no other error."""
    try:
        return f"{error}"
    except KeyboardInterrupt:
        raise
    except BaseException as second:
        return f"the error has no text: its __str__ raised {type(second).__name__}"


def _pattern(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    percent = "".join(f"%(?i:{byte:02x})" for byte in _encoded(character))
    forms = [re.escape(character), percent]
    if character in "\"'\\/":
        forms.append(re.escape("\\" + character))
    elif not character.isascii() or not character.isprintable():
        units = character.encode("utf-16-be", "surrogatepass")
        forms.append("".join(rf"\\u(?i:{units[i : i + 2].hex()})" for i in range(0, len(units), 2)))
    return f"(?:{'|'.join(forms)})"


def _base64_forms(value: str) -> set[str]:
    data = _encoded(value)
    forms: set[str] = set()
    if len(data) < _BASE64_SHORTEST:
        return forms
    for shift in range(3):
        encoded = b2a_base64(b"\0" * shift + data, newline=False).decode("ascii")
        # Only the characters that neighbours cannot change: a header such as user:key moves the alignment.
        core = encoded[(0, 2, 3)[shift] : (shift + len(data)) * 8 // 6]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms
