"""The table of options: what is derived from it, and the names that it refuses."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heavenbase import options, typed
from heavenbase.config import schema
from heavenbase.errors import UnknownNameError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.options import OPTIONS, TABLE
from heavenbase.typed import Options

from .support import CodeProvider, ScriptedGateway, both_colours, make_kernel, scripted

ANNOTATIONS = {
    **dict.fromkeys(("int", "float", "str", "bool"), None),
    "table": "Mapping[str, Any]",
    "list[str]": "Sequence[str]",
    "list": "Sequence[Any]",
    "callable": "Callable[..., Any]",
    "secret": "Secret",
}


def annotation(types: str) -> str:
    words = types.split(" | ")
    if {"any", "object"} & set(words):
        return "Any"
    return " | ".join([*(ANNOTATIONS[word] or word for word in words), "None"])


def test_each_option_stands_in_the_table_once_with_a_line_of_help() -> None:
    assert len(OPTIONS) == len(TABLE)
    for option in TABLE:
        assert option.kind in ("connection", "control", "argument", "extra"), option.name
        assert option.help, option.name
        assert "\n" not in option.help, option.name


def test_the_typed_dictionary_for_editors_equals_the_table() -> None:
    stub = Path(typed.__file__ or "").with_suffix(".pyi").read_text(encoding="utf-8")
    classes = [node for node in ast.parse(stub).body if isinstance(node, ast.ClassDef)]
    assert [written.name for written in classes] == ["Asked", "Options"]
    rows = [node for written in classes for node in written.body if isinstance(node, ast.AnnAssign)]
    found = {ast.unparse(row.target): ast.unparse(row.annotation) for row in rows}
    told = {option.name: annotation(option.types) for option in TABLE}
    told["background"] = "str | None"  # True answers with a job: `submit` is the typed door
    assert found == told
    assert Options.__annotations__.keys() == found.keys()
    assert not Options.__total__


def test_the_settings_check_what_the_table_says() -> None:
    arguments = schema.LLM.fields["default_args"]
    assert isinstance(arguments, schema.Table)
    for name, node in arguments.fields.items():
        option = OPTIONS[name]
        assert node.secret == option.secret, name
        assert schema.look_up(("heavenbase", "llm", "default_args", name)).free == option.free, name  # type: ignore[union-attr]
        if isinstance(node, schema.Field):
            assert node.minimum == option.least, name
    assert {"temperature", "seed", "timeout", "headers"} <= arguments.fields.keys()


def test_the_table_costs_no_heavy_import() -> None:
    code = "import heavenbase.options, sys; print([n for n in ('pydantic', 'asyncio', 'inspect') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        *(("temprature", "temperature"), ("max_retrys", "max_retries"), ("timout", "timeout"), ("modle", "model")),
        *(("sytem", "system"), ("temperture", "temperature"), ("respone_format", "response_format")),
        *(("maxTokens", "max_tokens"), ("tool_choise", "tool_choice"), ("api_keys", "api_key"), ("Seed", "seed")),
        *(("retrys", "retry"), ("onretry", "on_retry"), ("midleware", "middleware"), ("byprovider", "by_provider")),
        *(("routes", "route"),),
    ],
)
@pytest.mark.parametrize("wire", [None, frozenset({"keep_alive"})], ids=["unlisted wire", "listed wire"])
def test_a1_a_slip_is_refused_with_the_nearest_name(slip: str, meant: str, wire: Any) -> None:
    for allowed in (False, True):
        with pytest.raises(UnknownNameError, match=f"did you mean '{meant}'") as raised:
            options.unknown_options([slip], wire, allowed=allowed)
        assert raised.value.nearest == meant


def test_a1_a_slip_of_a_parameter_of_the_wire_is_found_too() -> None:
    with pytest.raises(UnknownNameError, match="keep_alive"):
        options.unknown_options(["keep_alife"], frozenset({"keep_alive"}), allowed=True)


def test_a1_what_nothing_knows_passes_only_where_it_is_allowed() -> None:
    wire = frozenset({"keep_alive"})
    with pytest.raises(UnknownNameError, match=r"extra_body, or with allow_unknown=True"):
        options.unknown_options(["frobnicate"], wire)
    assert options.unknown_options(["frobnicate", "keep_alive"], wire, allowed=True) == {"frobnicate"}
    assert options.unknown_options(["frobnicate"], None) == frozenset()


@pytest.mark.parametrize("name", sorted(options.NO_SLIPS))
def test_a1_real_parameters_that_resemble_options_are_no_slips(name: str) -> None:
    assert options.unknown_options([name], None) == frozenset()


@pytest.mark.parametrize(
    ("name", "place"), [("model", "hb.LLM"), ("provider", "hb.LLM"), ("route", "hb.LLM"), ("system", "chat")]
)
def test_a1_names_and_content_in_the_wrong_place_say_where_they_belong(name: str, place: str) -> None:
    with pytest.raises(UnknownNameError, match=place):
        options.unknown_options([name], None)


# Through an LLM


class Listing(ScriptedGateway):
    """A gateway that lists the parameters of its wire."""

    parameters = frozenset({"keep_alive"})


def listing(settings: dict[str, Any] | None = None, **record: Any) -> tuple[Kernel, Listing]:
    gateway = Listing("hello")
    return make_kernel(config=settings, plugins=(gateway, CodeProvider("acme", **record))), gateway


def llm_of(kernel: Kernel, **options: Any) -> LLM:
    options.setdefault("provider", "acme")
    return LLM(model="m", kernel=kernel, **options)


@pytest.mark.parametrize("slip", ["modle", "temprature", "max_retrys", "timout", "keep_alife", "rout", "midleware"])
def test_a1_the_constructor_refuses_a_slip(slip: str) -> None:
    kernel, gateway = listing()
    with pytest.raises(UnknownNameError, match="did you mean"):
        llm_of(kernel, **{slip: 1})
    assert gateway.calls == []


def test_a1_a_slip_explains_why_a_name_was_not_found() -> None:
    kernel, _ = listing()
    with pytest.raises(UnknownNameError, match="did you mean 'provider'"):
        LLM(model="m", provdier="acme", kernel=kernel)


@pytest.mark.parametrize("verb", ["chat", "complete", "stream", "embed", "imagen", "achat", "astream", "aembed"])
@pytest.mark.parametrize(("name", "value"), [("sytem", "be brief"), ("temprature", 1), ("frobnicate", 1)])
def test_a1_every_verb_refuses_what_nothing_knows(verb: str, name: str, value: Any) -> None:
    kernel, gateway = listing()

    ask = both_colours(llm_of(kernel), verb.removeprefix("a"))[verb.startswith("a")]
    with pytest.raises(UnknownNameError):
        ask("hi", **{name: value})
    assert gateway.calls == []


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"heavenbase.llm.default_args": {"temprature": 1}}, "heavenbase.llm.default_args"),
        ({"heavenbase.llm.presets.fast": {"model": "m", "provider": "acme", "args": {"temprature": 1}}}, "preset fast"),
        ({"heavenbase.llm.providers.acme.default_args": {"temprature": 1}}, "provider acme"),
        ({"heavenbase.llm.providers.acme.default_args": {"frobnicate": 1}}, "provider acme"),
    ],
)
def test_a1_settings_are_refused_by_the_layer_they_come_from(settings: dict[str, Any], where: str) -> None:
    kernel, _ = listing(settings)
    names: dict[str, Any] = {"preset": "fast"} if "preset" in where else {"model": "m", "provider": "acme"}
    with pytest.raises(UnknownNameError, match=f"it comes from {where}"):
        LLM(**names, kernel=kernel)


def test_a1_what_is_allowed_is_reported_as_unknown() -> None:
    kernel, _ = listing()
    given: dict[str, Any] = {"keep_alive": "5m", "allow_unknown": True, "frobnicate": 1}
    for llm, more in ((llm_of(kernel), given), (llm_of(kernel, **given), {})):
        report = llm.complete("hi", extra_body={"sprocket": 2, "top_p": 1}, **more).report
        assert report is not None
        assert set(report.names("unknown")) == {"frobnicate", "sprocket"}
        assert "keep_alive" in report.names("sent")


def test_a1_what_a_provider_declares_is_known() -> None:
    rule = {"drop": {"grommet": "it has none"}}
    kernel, _ = listing(
        known_parameters=["sprocket"], parameters=[rule], default_args={"flange": 1}, headers={"x-a": "b"}
    )
    report = llm_of(kernel).complete("hi", sprocket=1, grommet=2).report
    assert report is not None
    assert {"sprocket", "grommet", "flange"} <= set(report.names("sent"))


def test_a1_a_gateway_of_the_first_release_that_lists_nothing_takes_any_name() -> None:
    made = scripted("hello")
    assert made.llm.chat("hi", frobnicate=1) == "hello"
    with pytest.raises(UnknownNameError, match="temperature"):
        made.llm.chat("hi", temprature=1)
