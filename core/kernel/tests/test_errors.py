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
