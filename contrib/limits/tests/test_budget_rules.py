"""What the rules of budgets say, and what is wrong with others; windows and amounts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import heavenbase as hb
from hb_limits import Budgets
from hb_limits.budgets.amounts import PARTS, amount_of, parts_of, read_money, shown
from hb_limits.budgets.rules import read_rules
from hb_limits.budgets.windows import window_at
from heavenbase.errors import ConfigError, HBError, InputError, InputTypeError, UnknownNameError


def test_an_amount_is_read_exactly() -> None:
    for value in ("5.00", 5, 5.0, Decimal("5"), " 5 "):
        assert read_money(value, "money") == 5 * PARTS
    assert read_money(0.1, "money") == PARTS // 10
    assert read_money(None, "money") is None
    for wrong in ("", "5 dollars", "nan", "inf", "-1", -0.01, "1e16", "0.0000000000001"):
        with pytest.raises(InputError, match="money"):
            read_money(wrong, "money")
    for wrong in (True, [], {}):
        with pytest.raises(InputTypeError):
            read_money(wrong, "money")


def test_in_code_an_amount_may_be_a_decimal() -> None:
    (rule,) = Budgets(rules=[{"money": Decimal("5.50")}]).rules
    assert rule.money == 5_500_000_000_000
    with pytest.raises(InputError, match=r"rules\[0\].money is an amount from 0"):
        Budgets(rules=[{"money": Decimal("NaN")}])


def test_amounts_are_shown_for_people() -> None:
    assert [shown(parts_of(Decimal(text))) for text in ("5", "0.1234567", "1000000.5")] == [
        "5.00",
        "0.123456",
        "1000000.50",
    ]
    assert shown(parts_of(Decimal("0.1234567")), up=True) == "0.123457"
    assert parts_of(Decimal("-1")) == 0
    assert parts_of(Decimal("1e-13")) == 1
    assert amount_of(1) == Decimal("1e-12")


@pytest.mark.parametrize(
    ("every", "start", "end"),
    [
        ("hour", "2028-02-29T23:00", "2028-03-01T00:00"),
        ("day", "2028-02-29T00:00", "2028-03-01T00:00"),
        ("month", "2028-02-01T00:00", "2028-03-01T00:00"),
    ],
)
def test_windows_are_those_of_utc(every: str, start: str, end: str) -> None:
    first, last = (int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) for text in (start, end))
    for moment in (datetime(2028, 2, 29, 23, 59, 59, 999000, UTC).timestamp(), last - 3600.0):
        assert window_at(every, moment) == (first, last)
    assert window_at(every, last).start == last


def test_a_budget_without_a_window_is_for_ever() -> None:
    assert window_at(None, 5.0) == (0, None)


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        ({"monney": 5}, UnknownNameError, r"key of rules\[0\] 'monney'; did you mean 'money'"),
        ({}, InputError, "bounds nothing"),
        ({"money": 1, "per": "tennant"}, UnknownNameError, "did you mean 'tenant'"),
        ({"money": 1, "every": "dya"}, UnknownNameError, "did you mean 'day'"),
        ({"money": 1, "per": "call", "every": "day"}, InputError, "leave `every` out"),
        ({"money": 1, "currency": "dollars"}, InputError, "three capital letters"),
        ({"tokens": -1}, InputError, "whole number from 0"),
        ({"tokens": 1.5}, InputTypeError, "whole number"),
        ({"tokens": 1, "name": ""}, InputTypeError, "not empty"),
        ({"tokens": 1, "match": "openai"}, InputError, "openai/\\*"),
        ("tokens", InputTypeError, "is a table"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(table: Any, error: type[HBError], words: str) -> None:
    with pytest.raises(error, match=words):
        read_rules([table])


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="another rule is called 'all day \\*'"):
        read_rules([{"money": 1, "every": "day"}, {"tokens": 5, "every": "day"}])
    with pytest.raises(InputTypeError, match="list of tables"):
        read_rules({"money": 1})


def test_rules_say_what_they_are() -> None:
    rules = read_rules([{"money": 5, "tokens": 1000, "per": "tenant", "every": "hour"}, {"name": "x", "tokens": 5}])
    assert [str(rule) for rule in rules] == ["5.00 USD and 1,000 tokens an hour for each tenant", "5 tokens"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"store": "sqlite"}, "path is not set"),
        ({"path": "/tmp/x"}, "path is of the store"),
        ({"namespace": "x"}, "namespace is of the store"),
        ({"store": "redis"}, "namespace is not set"),
        ({"store": "redis", "namespace": "x", "url": "http://x"}, "url must begin with redis://"),
        ({"store": "redis", "namespace": "x", "timeout_ms": 5000}, "timeout_ms is at most"),
        ({"store": "redis", "namespace": "x", "url": "redis://[::1"}, "url is no address"),
        ({"store": "redis", "namespace": "x", "url": "redis://h:many"}, "url is no address"),
        ({"lease_seconds": 0}, "lease_seconds"),
        ({"lease_seconds": 10**10}, "lease_seconds is at most"),
        ({"unknown_price": "refused"}, "refuse"),
    ],
)
def test_what_is_wrong_with_a_setting_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Budgets(rules=[{"money": 1}], **options)


def test_the_settings_say_where_a_rule_is_wrong() -> None:
    config = {
        "heavenbase.llm.middleware": ["budgets"],
        "heavenbase.middleware.budgets.rules": [{"money": 1, "per": "tennant"}],
    }
    with pytest.raises((ConfigError, InputError), match=r"heavenbase\.middleware\.budgets\.rules\[0\]\.per"):
        hb.Kernel(config).stack  # noqa: B018


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"tokens": 1, "per": "tennant"}, "'tennant'"),
        ({"money": "5 EUR"}, "'5 EUR'"),
        ({"money": 1, "currency": "eu"}, "'eu'"),
    ],
)
def test_the_settings_show_what_is_wrong_in_a_rule(rule: dict[str, Any], says: str) -> None:
    config = {"heavenbase.llm.middleware": ["budgets"], "heavenbase.middleware.budgets.rules": [rule]}
    with pytest.raises((ConfigError, InputError), match=says):
        hb.Kernel(config).stack  # noqa: B018


def test_amounts_given_in_code_may_be_decimals() -> None:
    (rule,) = Budgets(rules=[{"name": "team", "money": Decimal("0.10")}]).rules
    assert (rule.money, str(rule)) == (PARTS // 10, "0.10 USD")
    with pytest.raises(InputTypeError, match="a list of tables"):
        Budgets(rules=[3])
