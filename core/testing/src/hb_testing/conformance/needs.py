"""What a check needs of the plugin under test. One that does not apply is not run, and the report says why.

`pytest -p hb_testing` leaves such checks out when it collects; without it they are skipped before anything is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Condition: TypeAlias = Callable[[Any, Mapping[str, Any]], str]
    """Why a check does not apply to a contract, given the check's parameters; "" when it does."""

Function = TypeVar("Function", bound="Callable[..., Any]")

ABILITIES = {"complete": "chat", "embed": "embeddings", "imagen": "images"}
"""What a verb is an ability of, where the word is another."""
_CONDITIONS = "hb_conditions"


class Check(NamedTuple):
    """One collected check: its function, its parameters and the fixtures that it takes."""

    function: Callable[..., Any]
    parameters: Mapping[str, Any]
    fixtures: Collection[str]

    @classmethod
    def of(cls, item: Any) -> Check:
        """The check that a pytest item runs."""
        callspec = getattr(item, "callspec", None)
        return cls(item.function, callspec.params if callspec is not None else {}, item.fixturenames)

    @property
    def conditions(self) -> tuple[Condition, ...] | None:
        """The conditions that the check was decorated with; None for one that states none."""
        found: tuple[Condition, ...] | None = getattr(self.function, _CONDITIONS, None)
        return found


def only_if(*conditions: Condition) -> Callable[[Function], Function]:
    """Have a check apply only where each condition answers ""."""

    def decorated(function: Function) -> Function:
        setattr(function, _CONDITIONS, (*getattr(function, _CONDITIONS, ()), *conditions))
        return function

    return decorated


def needs(*abilities: str) -> Callable[[Function], Function]:
    """Have a check apply only to gateways that can be called and have these abilities.

    "verb" stands for the ability that the check's parameter of this name is about.
    """

    def condition(contract: Any, parameters: Mapping[str, Any]) -> str:
        for ability in abilities:
            asked = parameters["verb"] if ability == "verb" else ability
            reason = str(contract.lacks(ABILITIES.get(asked, asked)))
            if reason:
                return reason
        return ""

    return only_if(condition)


def promises(attribute: str, what: str) -> Callable[[Function], Function]:
    """Have a check apply only to stores whose class promises something; what is found out is asked in the check."""

    def condition(tests: Any, parameters: Mapping[str, Any]) -> str:
        return f"this store does not promise {what}" if getattr(type(tests), attribute) is False else ""

    return only_if(condition)


class Selective:
    """Base of classes with checks that may not apply."""

    def unmet(self, check: Check) -> str:
        """Why a check does not apply here; "" when it does."""
        for condition in check.conditions or ():
            reason = condition(self, check.parameters)
            if reason:
                return reason
        return ""

    @pytest.fixture(autouse=True)
    def _applies(self, request: pytest.FixtureRequest) -> None:
        reason = why_not(request.node, skipping=True)
        if reason:
            pytest.skip(reason)


def why_not(item: Any, *, skipping: bool = False) -> str:
    """Why the check of an item does not apply; "" when it does, or when that cannot be found out before it runs.

    What cannot be used on this machine is no matter of the plugin: it is left in, or with `skipping` skipped.
    """
    if not isinstance(item, pytest.Function) or not isinstance(item.instance, Selective):
        return ""
    try:
        return item.instance.unmet(Check.of(item))
    except pytest.skip.Exception:
        if skipping:
            raise
        return ""
    except Exception:
        return ""  # the check itself will say what is broken
