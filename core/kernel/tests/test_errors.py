"""The error tree: what each error says, what programs may rely on, and that it survives pickling."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import pytest

from heavenbase import errors
from heavenbase.errors import (
    HBError,
    QuotaExhausted,
    RateLimitError,
    StreamInterrupted,
    UnknownModelError,
    UnknownNameError,
    check_kinds,
    is_among,
    known_kinds,
)
from heavenbase.types import Attempt, Completion

TREE = sorted(
    (
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, HBError) and not issubclass(value, Warning)
    ),
    key=lambda cls: cls.__name__,
)


def made(cls: type[HBError], **fields: Any) -> HBError:
    if issubclass(cls, UnknownNameError):
        return cls("model", "gtp", ["gpt", "claude"], **fields)
    return cls("it broke", **fields)


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_every_error_keeps_all_it_knows_through_pickle_and_copy(cls: type[HBError]) -> None:
    error = made(
        cls,
        provider="acme",
        status=503,
        request_id="r1",
        retry_after=2.0,
        maybe_billed=True,
        partial=Completion("half"),
        attempts=[Attempt("acme", "m", "g")],
    )
    error.model = "m"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(twin) is cls
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
        assert (twin.kind, twin.retryable) == (error.kind, error.retryable)


def test_kinds_are_stable_words_and_unique() -> None:
    kinds = {cls.kind: cls for cls in TREE}
    assert len(kinds) == len(TREE)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", kind) for kind in kinds)
    for name, kind in {
        "RateLimitError": "rate_limit",
        "CallTimeout": "timeout",
        "DeadlineExceeded": "deadline_exceeded",
        "TLSVerifyError": "tls_verify",
        "HBError": "error",
    }.items():
        assert getattr(errors, name).kind == kind


def test_errors_are_also_what_callers_of_the_older_packages_catch() -> None:
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.InputTypeError, TypeError)
    assert issubclass(errors.UnsupportedError, NotImplementedError)
    assert issubclass(errors.MissingPackage, ImportError)
    assert issubclass(errors.PluginLoadError, ImportError)
    assert issubclass(errors.CallTimeout, TimeoutError)
    assert issubclass(errors.ConfigError, ValueError)


def test_an_unknown_name_error_says_the_nearest_choice_and_lists_the_rest() -> None:
    error = UnknownNameError("gateway", "opnai", ["openai", "mock"], hint="see hb plugins")
    assert error.nearest == "openai"
    assert str(error) == "unknown gateway 'opnai'; did you mean 'openai'? choices: mock, openai; see hb plugins"
    assert "(60 in all)" in str(UnknownNameError("preset", "x", [f"preset-{n}" for n in range(60)]))
    assert UnknownModelError("model", "gpt9", []).model == "gpt9"
    assert UnknownNameError("model", object(), ["a"]).nearest is None


def test_the_nearest_choice_ignores_case_and_keeps_the_spelling_of_the_choice() -> None:
    assert UnknownNameError("preset", "MOCKK", ["Mock"]).nearest == "Mock"


def test_retryable_is_a_property_of_the_class_that_one_error_may_override() -> None:
    assert errors.RateLimitError("x").retryable
    assert not errors.Overloaded("x", retryable=False).retryable
    assert not errors.AuthError("x").retryable
    assert not errors.DeadlineExceeded("x").retryable


def test_every_error_class_says_what_it_means() -> None:
    assert [cls.__name__ for cls in TREE if not inspect.getdoc(cls)] == []


def test_what_a_server_wrote_cannot_drive_the_terminal_that_a_traceback_is_printed_to() -> None:
    error = HBError("said: \x1b]0;title\x07\r\nand\tmore\x9b2J\rover")
    assert str(error) == "said: \\x1b]0;title\\x07\nand\tmore\\x9b2J\\x0dover"


def test_a_slip_of_the_pen_names_no_package_to_install() -> None:
    choices = ["openrouter", "openai"]
    assert "pip install" not in str(errors.UnknownNameError("provider", "openruter", choices, package="hb-x-openruter"))
    assert "pip install hb-x-acme" in str(errors.UnknownNameError("provider", "acme", choices, package="hb-x-acme"))


def test_an_error_of_another_class_knows_what_the_first_did() -> None:
    first = RateLimitError("slow down", provider="p", status=429, retry_after=2.0, body="{}", maybe_billed=False)
    second = StreamInterrupted.of(first, "it broke", maybe_billed=True)
    assert (type(second), str(second), second.provider, second.status) == (StreamInterrupted, "it broke", "p", 429)
    assert (second.retry_after, second.body, second.maybe_billed) == (2.0, "{}", True)
    assert str(QuotaExhausted.of(first)) == "slow down"


# Kinds as settings list them


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_an_error_is_among_its_own_kind_its_class_and_the_classes_above(cls: type[HBError]) -> None:
    error = made(cls)
    assert is_among(error, [cls.kind])
    assert is_among(error, [cls])
    assert is_among(error, [HBError])
    assert is_among(error, ["nothing else", cls.kind])
    assert not is_among(error, [])
    others = {kind for kind in known_kinds() if errors.base.KINDS.get(kind, kind) not in kinds_above(cls)}
    assert not is_among(error, others)


def kinds_above(cls: type) -> set[str]:
    return {base.kind for base in cls.__mro__ if issubclass(base, HBError)}


@pytest.mark.parametrize(
    ("cls", "above", "is_too"),
    [
        (errors.Overloaded, "server", True),
        (errors.ConnectError, "transport", True),
        (errors.ConnectTimeout, "timeout", True),
        (errors.TLSVerifyError, "transport", False),  # asking again, or another one's certificate, is no help
        (errors.RateLimitError, "auth", False),
        (errors.QuotaExhausted, "rate_limit", False),
    ],
)
def test_a_kind_stands_for_those_below_it_that_may_be_asked_again(cls: type[HBError], above: str, is_too: bool) -> None:
    assert is_among(made(cls), [above]) is is_too


@pytest.mark.parametrize(("word", "kind"), errors.base.KINDS.items())
def test_the_shorter_words_stand_for_their_kinds(word: str, kind: str) -> None:
    assert kind in {cls.kind for cls in TREE}
    assert word not in {cls.kind for cls in TREE}
    assert is_among(made(next(cls for cls in TREE if cls.kind == kind)), [word])


def test_a_function_is_asked_with_the_error() -> None:
    error = RateLimitError("slow", status=429)
    assert is_among(error, [lambda it: it is error])
    assert is_among(error, [lambda it: False, lambda it: it.status])
    assert not is_among(error, [lambda it: None])


def test_errors_of_others_are_known_by_their_class_and_by_functions_alone() -> None:
    error = KeyError("x")
    assert is_among(error, [LookupError])
    assert is_among(error, [lambda it: True])
    assert not is_among(error, known_kinds())


def test_the_kind_of_one_error_counts_where_it_has_one_of_its_own() -> None:
    error = errors.FallbackExhausted("all failed", [])
    error.kind = "auth"  # type: ignore[misc]
    assert is_among(error, ["auth"])


def test_the_kinds_of_plugins_are_known_too() -> None:
    class AcmeBusy(errors.Overloaded):
        """Acme is busy."""

    assert "acme_busy" in known_kinds()
    assert check_kinds("on", ["acme_busy"]) == ("acme_busy",)
    assert is_among(AcmeBusy("x"), ["overloaded"])


def test_kinds_are_checked_by_name_and_by_what_they_are() -> None:
    given = ["rate_limit", "quota", RateLimitError, KeyError, print]
    assert check_kinds("on", given) == tuple(given)
    assert check_kinds("on", iter(["server"])) == ("server",)
    assert check_kinds("on", ()) == ()
    for slip, meant in (("ratelimit", "rate_limit"), ("Timeout", "timeout"), ("qouta", "quota")):
        with pytest.raises(UnknownNameError, match=f"kind of error in route.on '{slip}'; did you mean '{meant}'"):
            check_kinds("route.on", [slip])
    for wrong in ("server", RateLimitError, 5, None, print):
        with pytest.raises(errors.InputTypeError, match="on is a list of kinds of errors, not"):
            check_kinds("on", wrong)
    for item in (5, None, 4.2, ["server"], {"a": 1}):
        with pytest.raises(errors.InputTypeError, match="on holds kinds of errors, classes or functions, not"):
            check_kinds("on", [item])
    with pytest.raises(errors.InputTypeError, match="a class in on is no class of errors"):
        check_kinds("on", [int])
