"""Templates, values and files of somebody who means harm, or knows no better: typed errors, and no code is run."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from heavenbase.config import Config
from heavenbase.errors import ConfigError, InputError, InputTypeError, UnknownNameError
from heavenbase.prompts import Parameter

SETTINGS = {
    "heavenbase.llm.cache.enabled": False,
    "heavenbase.llm.prompts.review": {"user": "Review:\n{{ input }}"},
    "heavenbase.llm.prompts.persona": {"system": "You are {{ who }}."},
    "heavenbase.llm.presets.actor": {
        "model": "mock",
        "provider": "mock",
        "prompt": "persona",
        "args": {"prompt_values": {"who": "a bard"}},
    },
}


def kernel() -> hb.Kernel:
    return hb.Kernel(SETTINGS)


def asked(llm: hb.LLM, *args: Any, **options: Any) -> list[Any]:
    """What the model is told."""
    heard: list[Any] = []
    llm.chat(*args, mock=lambda messages: heard.append(messages) or "ok", **options)
    return [(message["role"], message["content"]) for message in heard[0]]


def shout(*args: Any) -> Any:
    raise AssertionError("code of a value was run")


class Loud(str):
    """A text with much to say of itself."""

    __slots__ = ()
    __str__ = __repr__ = __format__ = __eq__ = __iter__ = __len__ = __getitem__ = __contains__ = __add__ = shout
    strip = replace = lower = isidentifier = join = encode = shout
    __hash__ = str.__hash__


class LoudInt(int):
    __str__ = __repr__ = __format__ = __eq__ = __int__ = __index__ = __bool__ = shout
    __hash__ = int.__hash__


class LoudFloat(float):
    __str__ = __repr__ = __format__ = __eq__ = __float__ = shout
    __hash__ = float.__hash__


class LoudList(list[Any]):
    __iter__ = __len__ = __getitem__ = shout


class LoudDict(dict[str, Any]):
    __iter__ = keys = items = values = __getitem__ = get = shout


class Posing:
    """It says that it is a text."""

    __class__ = str  # type: ignore[assignment]


def test_g26_nothing_of_a_value_is_run() -> None:
    template = hb.PromptTemplate(
        Loud("{{ text }}|{{ most }}|{{ share }}|{{ words }}|{{ tone }}"),
        parameters={
            Loud("most"): "int",
            "share": {"type": Loud("float")},
            "words": {"type": "list", "default": LoudList([Loud("d")])},
            "tone": {"choices": [Loud("kind"), "brief"], "description": Loud("how")},
        },
        name=Loud("n"),
        description=Loud("d"),
    )
    values = {"text": Loud("{{ most }}"), "most": LoudInt(3), "share": LoudFloat(0.5), "tone": Loud("kind")}
    [message] = template.render(LoudDict(values))
    assert (type(message["content"]), message["content"]) == (str, "{{ most }}|3|0.5|d|kind")
    assert template({**values, "words": LoudList([Loud("a"), "b"])})[0]["content"].endswith("|a\nb|kind")
    assert hash(template) == hash(copy.deepcopy(template))
    assert repr(template).startswith("PromptTemplate('n'")
    for wrong in ({"tone": Loud("loud")}, {"text": Posing()}, {"words": LoudList([Posing()])}, {"most": Loud("3")}):
        with pytest.raises(InputError):
            template({**values, **wrong})
    with kernel() as made:
        llm = hb.LLM("mock", kernel=made, mock=lambda messages: messages[-1]["content"])
        assert llm.chat(template, prompt_values=LoudDict(values)) == "{{ most }}|3|0.5|d|kind"


@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["large", "small"])
@pytest.mark.parametrize("kind", ["int", "float"])
def test_g26_a_number_too_long_to_write_is_refused(number: int, kind: str) -> None:
    template = hb.PromptTemplate("{{ a }}", parameters={"a": kind})
    with kernel() as made, pytest.raises(InputError, match="parameter 'a' has more digits than can be written"):
        hb.LLM("mock", kernel=made).chat(template, prompt_values={"a": number})
    for field in ({"default": number}, {"choices": [number]}):
        with pytest.raises(InputError, match="more digits"):
            hb.PromptTemplate("{{ a }}", parameters={"a": {"type": kind, **field}})


def rings() -> list[Any]:
    row: list[Any] = []
    table: dict[str, Any] = {}
    row.append(row)
    table["a"] = table
    return [row, table]


ODD: list[Any] = [5, 1.5, True, b"x", object(), ["x"], {"b": 1}, {1: "x"}, str, Posing(), OSError("x"), {1}, len]
IN_FIELDS = ("user", "system", "messages", "parameters", "name", "description")


def attempts(odd: Any, made: hb.Kernel) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every place where somebody may put an odd thing."""
    template = hb.PromptTemplate("{{ input }}")
    mock = hb.LLM("mock", kernel=made)
    for field in IN_FIELDS:
        text = {} if field in ("user", "messages") else {"user": "{{ a }}"}
        yield field, lambda text=text, field=field: hb.PromptTemplate(**{**text, field: odd})
    for field in ("role", "content"):
        row = {"role": "user", "content": "a", field: odd}
        yield field, lambda row=row: hb.PromptTemplate(messages=[row])
    yield "row", lambda: hb.PromptTemplate(messages=[odd])
    for field in ("name", "type", "description"):
        yield f"parameter {field}", lambda field=field: Parameter(**{"name": "a", field: odd})
    yield "render", lambda: template.render(odd)
    yield "value", lambda: template.render(input=odd)
    yield "apply", lambda: template.apply([{"role": "user", "content": "x"}], odd)
    yield "load", lambda: hb.PromptTemplate.load(odd)
    yield "from_config", lambda: hb.PromptTemplate.from_config(odd, Config.from_dict(SETTINGS))
    yield "config", lambda: hb.PromptTemplate.from_config("review", odd)
    yield "read", lambda: Parameter("a", "int").read(odd)
    yield "text", lambda: Parameter("a", "int").read([odd])
    yield "prompt_values", lambda: mock.chat(template, prompt_values=odd)
    yield "in prompt_values", lambda: hb.completion("mock", template, prompt_values={"input": odd}, kernel=made)
    yield "prompt_template", lambda: hb.completion("mock", "x", prompt_template=odd, kernel=made)
    yield "of the LLM", lambda: hb.LLM("mock", kernel=made, prompt_template=template, prompt_values=odd).chat("x")


@pytest.mark.parametrize("odd", [*ODD, *rings()], ids=lambda odd: type(odd).__name__)
def test_g26_odd_things_in_any_place_are_typed_errors(odd: Any) -> None:
    with kernel() as made:
        for place, attempt in attempts(odd, made):
            with pytest.raises(InputError):
                print(place, attempt())


@pytest.mark.parametrize("odd", [5, None, b"x", object(), (), Posing], ids=lambda odd: type(odd).__name__)
def test_g26_a_name_that_is_no_text_is_refused(odd: Any) -> None:
    for attempt in (
        lambda: hb.PromptTemplate("{{ a }}", parameters={odd: "int"}),
        lambda: hb.PromptTemplate("{{ a }}", parameters={"a": {odd: "int"}}),
        lambda: hb.PromptTemplate(messages=[{"role": "user", "content": "x", odd: "y"}]),
        lambda: hb.PromptTemplate("{{ a }}").render({odd: "x"}),
    ):
        with pytest.raises(InputTypeError, match="must be text"):
            attempt()


@pytest.mark.parametrize("odd", ["", [], 0, False])
def test_g26_values_that_are_empty_and_no_table_are_refused_too(odd: Any) -> None:
    with kernel() as made, pytest.raises(InputTypeError, match="prompt_values must be a mapping"):
        hb.LLM("mock", kernel=made).chat("x", prompt_values=odd)


def test_g26_a_parameter_keeps_the_name_that_it_was_made_with() -> None:
    with pytest.raises(InputError, match="parameter 'a' is given as one of another name, 'b'"):
        hb.PromptTemplate("{{ a }}", parameters={"a": Parameter("b")})


@pytest.mark.parametrize("choices", ["abc", b"abc", 5, None, {"a": 1}])
def test_g26_choices_are_a_list(choices: Any) -> None:
    with pytest.raises(InputTypeError, match="choices of parameter 'a' must be a list"):
        Parameter("a", choices=choices)


def test_g26_a_list_may_be_one_of_several() -> None:
    parameter = Parameter("a", "list", choices=(["x", "y"], ["z"]))
    assert parameter.check(["x", "y"]) == ("x", "y")
    with pytest.raises(UnknownNameError, match="value of 'a'"):
        parameter.check(["x"])


# Files


def test_g26_a_file_is_one_and_has_a_name(tmp_path: Path) -> None:
    for name in ("a\0.md", "\ud800.md"):
        with pytest.raises(ConfigError, match="no file has such a name"):
            hb.PromptTemplate.load(name)
    os.mkfifo(tmp_path / "d.md")  # nobody writes to it
    with pytest.raises(ConfigError, match="is not a regular file"):
        hb.PromptTemplate.load(tmp_path / "d.md")
    (tmp_path / "e.md").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        hb.PromptTemplate.load(tmp_path / "e.md")


LONG = 20_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[parameters]\na.default" + ".x" * 450 + " = 1\n", "nested too deeply|must be text"),
        ("[parameters]\na.default = " + "[" * 3000 + "]" * 3000 + "\n", "nested too deeply"),
        ('[parameters.a]\ntype = "int"\ndefault = 0x' + "f" * 5000 + "\n", r"a\.toml:4: .*not one so large"),
        ('[parameters.a]\ntype = "int"\ndefault = ' + "9" * 5000 + "\n", r"a\.toml:4: "),
        ("[parameters.a]\nchoices = [\n" + '"x",\n' * LONG + "]\nchoice = 1\n", r"a\.toml:20005: unknown key"),
        ("[parameters.a]\ndescription = '''\n" + "x\n" * LONG + "'''\nchoice = 1\n", r"a\.toml:20005: unknown key"),
    ],
    ids=["deep-names", "deep-lists", "long-hex", "long-decimal", "long-list", "long-text"],
)
def test_g26_a_file_made_to_hurt_is_an_error_like_any_other(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.toml").write_text('user = "{{ a }}"\n' + text)
    with pytest.raises(ConfigError, match=words):
        hb.PromptTemplate.load(tmp_path / "a.toml")


# Settings, presets and options


@pytest.mark.parametrize(
    "name", ["../review", "review.user", "heavenbase.llm", "/etc/passwd", "review/.", "", "REVIEW"]
)
def test_g26_a_name_of_the_settings_is_that_name_and_no_path(name: str) -> None:
    with kernel() as made, pytest.raises(UnknownNameError, match="unknown prompt"):
        hb.LLM("mock", kernel=made).chat("x", prompt_template=name)


def test_g26_the_values_of_a_preset_are_for_its_own_template() -> None:
    other = hb.PromptTemplate("Say {{ word }}.")
    with kernel() as made:
        actor = hb.LLM("actor", kernel=made)
        assert asked(actor, other, prompt_values={"word": "hi"}) == [("user", "Say hi.")]
        assert asked(actor, "x", prompt_template=other, prompt_values={"word": "hi"})[0] == ("user", "Say hi.")
        assert asked(actor, hb.PromptTemplate("Be {{ who }}.")) == [("user", "Be a bard.")]
        with pytest.raises(UnknownNameError, match="unknown parameter of prompt 'persona' 'whom'"):
            hb.LLM("actor", kernel=made, prompt_values={"who": "x", "whom": "x"}).chat("x")


def test_g26_two_templates_of_one_call_are_refused() -> None:
    template = hb.PromptTemplate("a")
    with kernel() as made:
        llm = hb.LLM("mock", kernel=made)
        assert asked(llm, template, prompt_template=template) == [("user", "a")]
        for other in ("review", hb.PromptTemplate("b")):
            with pytest.raises(InputError, match="the messages are a template, and prompt_template names another"):
                llm.chat(template, prompt_template=other)


@pytest.mark.parametrize("verb", ["embed", "imagen"])
def test_g26_only_chats_take_a_template(verb: str) -> None:
    with kernel() as made:
        call = getattr(hb.LLM("mock", kernel=made), verb)
        for options in ({"prompt_template": "review"}, {"prompt_values": {"a": "b"}}):
            with pytest.raises(InputError, match="is for chats"):
                call("x", **options)
        assert call("x", prompt_template=None) is not None
