"""What rules say, and what is told of wrong ones before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hb_limits import Limits
from heavenbase.config import Config
from heavenbase.errors import ConfigError, InputError, InputTypeError, UnknownNameError
from heavenbase.kernel import Kernel

from .support import House


@pytest.mark.parametrize(
    ("rule", "error", "says"),
    [
        ({"requests_per_minut": 5}, UnknownNameError, "did you mean 'requests_per_minute'?"),
        ({"requests_per_minute": 5, "per": "tennant"}, UnknownNameError, "'tennant'; did you mean 'tenant'"),
        ({"requests_per_minute": 5, "on_limit": "rais"}, UnknownNameError, "'rais'; did you mean 'raise'?"),
        ({"requests_per_minute": "5"}, InputTypeError, "rules[0].requests_per_minute is a whole number, not str"),
        ({"requests_per_minute": True}, InputTypeError, "rules[0].requests_per_minute is a whole number, not bool"),
        ({"requests_per_minute": 0}, InputError, "rules[0].requests_per_minute is a whole number from 1"),
        ({"tokens_per_day": 10**30}, InputError, "rules[0].tokens_per_day is a whole number from 1"),
        ({"concurrency": -1}, InputError, "rules[0].concurrency is a whole number from 1"),
        ({"concurrency": 1, "max_queued": -1}, InputError, "rules[0].max_queued is a whole number from 0"),
        ({}, InputError, "rules[0] limits nothing"),
        ({"max_queued": 3}, InputError, "rules[0] limits nothing"),
        ({"concurrency": 1, "match": "openai"}, InputError, "for a whole provider: openai/*"),
        ({"concurrency": 1, "match": []}, InputTypeError, "rules[0].match is a pattern"),
        ({"concurrency": 1, "match": 3}, InputTypeError, "rules[0].match is a pattern"),
        ({"concurrency": 1, "name": " "}, InputTypeError, "rules[0].name is a text"),
        ({"concurrency": 1, "name": "what the provider says"}, InputError, "another rule is called"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_an_error_with_its_key_and_the_nearest(rule: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        Limits(rules=[rule])
    assert says in str(caught.value)


def test_two_rules_of_one_name_are_told_apart() -> None:
    with pytest.raises(InputError, match=r"rules\[1\]: another rule is called 'target \*' too"):
        Limits(rules=[{"concurrency": 1}, {"requests_per_day": 1}])
    Limits(rules=[{"concurrency": 1}, {"requests_per_day": 1, "name": "daily"}])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"store": "redis"}, "namespace is not set"),
        ({"store": "redis", "namespace": " "}, "namespace is not set"),
        ({"store": "rediss", "namespace": "x"}, "did you mean 'redis'"),
        ({"store": "redis", "namespace": "x", "url": "http://user:secret-word@there"}, "url must begin with redis://"),
        ({"store": "redis", "namespace": "x", "timeout_ms": 5000}, "timeout_ms is at most 100"),
        ({"namespace": "x"}, 'namespace is of the store "redis"'),
        ({"rules": {"concurrency": 1}}, "rules must be a list of tables"),
        ({"rule": []}, "did you mean 'rules'"),
    ],
)
def test_a_wrong_setting_is_an_error_that_shows_no_password(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        Limits(**options)
    assert says in str(caught.value)
    assert "secret-word" not in str(caught.value)


def test_rules_of_the_settings_are_told_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        '[heavenbase.llm]\nmiddleware = ["limits"]\n[[heavenbase.middleware.limits.rules]]\nrequests_per_minut = 5\n'
    )
    config = Config.load(user_file=file, project_dir=tmp_path, environ={"HEAVENBASE_HOME": str(tmp_path)})
    with pytest.raises(ConfigError) as caught:
        Kernel(config)
    assert "settings.toml:2" in str(caught.value)
    assert "heavenbase.middleware.limits.rules[0] 'requests_per_minut'; did you mean" in str(caught.value)


def test_the_settings_switch_it_on(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        '[heavenbase.llm]\nmiddleware = ["limits"]\n[[heavenbase.middleware.limits.rules]]\n'
        'match = ["mock/*"]\nper = "tenant"\nrequests_per_minute = 5\n'
    )
    config = Config.load(user_file=file, project_dir=tmp_path, environ={"HEAVENBASE_HOME": str(tmp_path)})
    with Kernel(config) as kernel:
        limits = kernel.services.load("middleware", "limits")
        assert limits.status() == {"rules": "tenant mock/*", "store": "memory"}


@pytest.mark.parametrize(
    ("match", "covers"),
    [("*", True), ("one/*", True), ("one/m", True), ("*/m", True), ("two/*", False), (["two/*", "one/?"], True)],
)
def test_which_requests_a_rule_is_about(match: Any, covers: bool) -> None:
    house = House({"match": match, "requests_per_minute": 1})
    house.ask()
    house.ask()
    assert bool(house.clock.slept) == covers
    house.close()
