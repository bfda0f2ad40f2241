"""The settings that plugins declare: what is wrong with a declaration, and which values are shown."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from heavenbase.config.config import Config
from heavenbase.discovery.plugin_settings import settings_of
from heavenbase.errors import PluginContractError
from heavenbase.kernel import Kernel
from heavenbase.middleware import Judge, Middleware, Setting
from heavenbase.secrets import Hidden, veiled

ADDRESS = "https://user:pass-word@host.example"


class Polite(Judge):
    name = "polite"
    settings: ClassVar[Any] = {
        "word": Setting("str", "please", "what an answer must have"),
        "words": Setting("list[str]", [], "further ones"),
        "page": Setting("str", "", "an address"),
        "login": Setting("str", "", "a credential", secret=True),
        "api_key": Setting("str", "", "a credential by its name"),
        "more": Setting("table", {}, "whatever"),
        "any": Setting("any", None, "whatever"),
    }


def read(values: dict[str, Any], **environ: str) -> dict[str, Any]:
    return settings_of(Config.from_dict({"heavenbase.judges.polite": values}, environ=environ), "judges", Polite())


@pytest.mark.parametrize(
    ("name", "value"),
    [("word", "thanks"), ("words", ["thanks", "please"]), ("page", "https://host.example/a"), ("any", "thanks")],
)
def test_what_a_declaration_calls_no_credential_is_shown(name: str, value: Any) -> None:
    found = read({name: value})[name]
    assert repr(found) == repr(value)
    assert not veiled(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("login", "thanks"),
        ("api_key", "thanks"),
        ("page", ADDRESS),
        ("words", ["please", ADDRESS]),
        ("word", "${env:WORD}"),
        ("words", ["${env:WORD}"]),
        ("more", {"inner": "thanks"}),
        ("any", [{"inner": "thanks"}]),
    ],
)
def test_h6_what_may_be_a_credential_stays_hidden_in_declared_settings(name: str, value: Any) -> None:
    found = read({name: value}, WORD="thanks")[name]
    assert veiled(found)
    assert "thanks" not in repr(found)
    assert "pass-word" not in repr(found)


def test_h6_tables_of_plugins_whose_settings_nobody_knows_stay_hidden() -> None:
    config = Config.from_dict({"heavenbase.judges.stranger": {"word": "thanks"}})
    assert isinstance(config.get("heavenbase.judges.stranger.word"), Hidden)
    assert "thanks" not in repr(config.section("heavenbase.judges"))


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"x": ("int", 0)}, "'x' wrong: it must be a Setting"),
        ([("x", Setting("int", 0))], "must be a mapping"),
        ({"x": Setting("int", "zero")}, "x must be an integer"),
        ({"x": Setting("flot", 1.0)}, "did you mean 'float'"),
        ({"x": Setting("int", 0, minimum=1)}, "x must be at least 1"),
    ],
)
def test_a_wrong_declaration_names_its_class_wherever_it_is_made(declared: Any, says: str) -> None:
    class Odd(Middleware):
        settings: ClassVar[Any] = declared

    with pytest.raises(PluginContractError, match=says) as caught:
        Odd()
    assert "Odd" in str(caught.value)

    class Silent(Odd):
        name = "silent"

        def __init__(self) -> None:
            self.options = {}

    with pytest.raises(PluginContractError, match=says) as caught:
        Kernel({}, plugins=[Silent()], discover_plugins=False)  # type: ignore[list-item]
    assert "middleware:silent" in str(caught.value)


def test_a_place_that_does_not_exist_is_told_where_the_plugin_is_loaded() -> None:
    class Lost(Middleware):
        name = "lost"
        around: ClassVar[Any] = "atempt"

    with pytest.raises(PluginContractError, match=r"middleware:lost .* did you mean 'attempt'"):
        Kernel({}, plugins=[Lost()], discover_plugins=False)  # type: ignore[list-item]
