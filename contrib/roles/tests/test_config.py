"""Files and data that are odd, and what is said of them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_roles import (
    ConfigError,
    EnvVarMissingError,
    LLMHub,
    load_runtime_config,
    parse_runtime_config,
    resolve_role,
)
from hb_roles.yaml_reader import read_text
from heavenbase import errors

from .conftest import PAGE, Made


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "is empty"),
        ("# nothing\n", None, "is empty"),
        ("- a\n- b\n", None, "must be a table of keys, not a list"),
        ("just text", None, "must be a table of keys, not text"),
        ("a: [1\nb: 2\n", 2, "is no YAML"),
        ("a: 1\n\tb: 2\n", 2, "is no YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "is no YAML"),
        ("a: &x [*x]\n", 1, "contains itself"),
        ("project: a\nproject: b\n", 2, "stands twice, first in line 1"),
        ("project: a\n1: b\n", 2, "1: a name must be text; put it in quotes"),
        ("project: a\non: b\n", 2, "on: a name must be text; put it in quotes"),
        ("a: 2020-13-45\n", None, "is no YAML"),
        ("a: \x07\n", None, "is no YAML"),
    ],
)
def test_what_is_no_file_of_roles_is_told_with_its_line(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    path = tmp_path / "llmhub.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_runtime_config(path)
    assert says in str(raised.value)
    assert raised.value.line == line
    assert str(raised.value).startswith(f"{path}:")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match=str(path)):
            load_runtime_config(path)
    with pytest.raises(ConfigError, match=r"'a\\x00b': no file has such a name"):
        LLMHub(config_path="a\0b")
    path = tmp_path / "llmhub.yaml"
    path.write_bytes(b"project: a\nenv: \xff\n")
    with pytest.raises(ConfigError, match=r"llmhub\.yaml:2: is not UTF-8"):
        load_runtime_config(path)


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "a: " + "[" * 5000 + "]" * 5000, "{a: " * 3000 + "1" + "}" * 3000, "{a: " * 70 + "1" + "}" * 70],
    ids=["open lists", "lists", "tables", "a few too many"],
)
def test_a_file_that_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is nested too deeply; 64 levels are allowed") as raised:
        read_text(text, "llmhub.yaml")
    assert len(str(raised.value)) < 200


def test_a_short_file_that_stands_for_an_endless_one_is_refused() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="holds more than 100000 values"):
        read_text("\n".join(rows))


def test_anchors_and_merges_are_read(tmp_path: Path) -> None:
    text = PAGE.replace("    params:\n      temperature: 0.2", "    params: &it\n      temperature: 0.2")
    text = text.replace("    params:\n      temperature: 0.7", "    params:\n      <<: *it\n      temperature: 0.7")
    path = tmp_path / "llmhub.yaml"
    path.write_text(text.replace("      max_tokens: 2048\n", ""), encoding="utf-8-sig")
    assert load_runtime_config(path).roles["llm.inference"].params == {"temperature": 0.7, "max_tokens": 512}


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("project",), 3, "project: must be text, not a number; put it in quotes"),
        (("env",), False, "env: must be text, not true or false; put it in quotes"),
        (("env",), "", "env: is empty"),
        (("providers",), [], "providers: must be a table, not a list"),
        (("providers", "openai"), "OPENAI_API_KEY", "providers.openai: must be a table, not text"),
        (("providers", "openai", "env_key"), 1, "providers.openai.env_key: must be text"),
        (("providers", "openai", "api_key"), "x", "providers.openai.api_key: stands beside env_key"),
        (("providers", "Open-AI"), None, "providers.Open-AI: differs from 'openai'"),
        (("roles", "llm.inference"), None, "roles.llm.inference: must be a table, not empty"),
        (("roles", "llm.inference", "params"), [1], "roles.llm.inference.params: must be a table, not a list"),
        (("roles", "llm.inference", "model"), "", "roles.llm.inference.model: is empty"),
        (("roles", "llm.inference", "model"), 4, "roles.llm.inference.model: must be text, not a number"),
        (("roles", " "), {"provider": "openai", "model": "m", "mode": "chat"}, "a role needs a name"),
        (("roles", "llm_inference"), {"provider": "openai", "model": "m", "mode": "chat"}, "differs from"),
        (("defaults",), {"provider": "openai"}, "defaults.model: is required"),
        (("roles", 1), {}, "roles.1: a name must be text"),
        (("providers",), 5, "providers: must be a table, not a number"),
        (("providers",), True, "providers: must be a table, not true or false"),
        (("roles", "llm.inference", "params"), {"stream": "yes"}, "params.stream: must be true or false, not text"),
        (("roles", "llm.inference", "params"), {"stream": 1}, "params.stream: must be true or false, not a number"),
        (("roles", "llm.embedding", "params"), {"stream": True}, "stream: is for chats, and the mode is embedding"),
        (("roles", "llm.embedding", "params"), {"prompt_template": "x"}, "prompt_template: is for chats"),
        (("roles", "llm.inference", "params"), {"temperature": float("nan")}, "temperature: is no number that can"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_by_its_path(
    page: dict[str, Any], place: tuple[Any, ...], value: Any, says: str
) -> None:
    table = page
    for step in place[:-1]:
        table = table[step]
    table[place[-1]] = value
    with pytest.raises(ConfigError) as raised:
        parse_runtime_config(page)
    assert says in str(raised.value)


def test_a_key_in_the_place_of_a_variables_name_is_refused_and_not_repeated(page: dict[str, Any]) -> None:
    page["providers"]["openai"]["env_key"] = "sk-proj-0123456789"
    with pytest.raises(ConfigError, match="must be the name of an environment variable") as raised:
        parse_runtime_config(page)
    assert "0123456789" not in str(raised.value)


def test_a_key_in_the_file_is_shown_nowhere(made: Made, page: dict[str, Any], server: Any) -> None:
    page["providers"]["openai"] = {"api_key": "sk-canary-in-the-file"}
    hub = made()
    hub.completion("llm.preprocess", "hi")
    assert server.requests[0].headers["authorization"] == "Bearer sk-canary-in-the-file"
    assert "sk-canary" not in f"{hub!r} {hub.config!r} {hub.config.model_dump()} {hub.target('llm.preprocess')!r}"


def test_references_to_variables_are_filled_in(
    made: Made, page: dict[str, Any], environ: dict[str, str], server: Any
) -> None:
    page["providers"]["openai"] = {"api_key": "${env:MY_KEY}", "base_url": "${env:MY_URL}"}
    page["roles"]["it"] = {
        "provider": "${env:WHO,openai}",
        "model": "${env:MODEL}",
        "mode": "chat",
        "params": {"stop": ["${env:STOP,x}"]},
    }
    environ |= {"MY_KEY": "k", "MY_URL": server.url("openai"), "MODEL": "gpt-4o"}
    hub = made()
    found = hub.resolve("it")
    assert (found.provider, found.model, found.params) == ("openai", "gpt-4o", {"stop": ["x"]})
    assert hub.config.roles["it"].model == "${env:MODEL}"
    hub.completion("it", "hi")
    sent = server.requests[0]
    assert (sent.headers["authorization"], sent.json["model"], sent.json["stop"]) == ("Bearer k", "gpt-4o", ["x"])
    del environ["MODEL"]
    with pytest.raises(EnvVarMissingError, match=r"roles\.it\.model") as raised:
        resolve_role(hub.config, "it", environ=environ)
    assert raised.value.variables == ("MODEL",)


def test_strict_env_counts_the_variable_of_an_api_key(made: Made, page: dict[str, Any]) -> None:
    page["providers"]["openai"] = {"api_key": "${env:MY_KEY}"}
    with pytest.raises(EnvVarMissingError) as raised:
        made(strict_env=True)
    assert raised.value.variables == ("MY_KEY",)


def test_parameters_of_a_wrong_type_are_told_when_the_hub_is_made(made: Made, page: dict[str, Any]) -> None:
    page["roles"]["llm.inference"]["params"]["temperature"] = "hot"
    with pytest.raises(ConfigError, match=r"^roles\.llm\.inference\.params\.temperature must be a number"):
        made()


def test_an_address_that_is_no_text_is_told_when_the_hub_is_made(made: Made, page: dict[str, Any]) -> None:
    page["roles"]["llm.inference"]["params"]["base_url"] = 10**5000
    with pytest.raises(ConfigError, match=r"^roles\.llm\.inference\.params\.base_url must be a string"):
        made()


def test_a_misspelt_parameter_is_told_before_anything_is_sent(made: Made, page: dict[str, Any], server: Any) -> None:
    page["roles"]["llm.inference"]["params"]["temprature"] = 1
    hub = made()
    for call in (lambda: hub.completion("llm.inference", "hi"), lambda: hub.target("llm.inference")):
        with pytest.raises(errors.UnknownNameError, match=r"temprature.*temperature"):
            call()
    with pytest.raises(errors.UnknownNameError, match="max_tokns"):
        hub.completion("llm.preprocess", "hi", {"max_tokns": 1})
    assert server.requests == []


@pytest.mark.parametrize("input", [b"x", 3, None, [1, 2], [], {"a": "b"}])
def test_what_is_no_input_is_refused_before_anything_is_sent(made: Made, server: Any, input: Any) -> None:
    with pytest.raises(errors.InputError):
        made().embedding("llm.embedding", input)
    assert server.requests == []


@pytest.mark.parametrize("over", [[("a", 1)], "x", {1: 2}])
def test_what_is_no_override_is_refused(made: Made, over: Any) -> None:
    with pytest.raises(TypeError):
        made().completion("llm.inference", "hi", over)


def test_an_override_that_holds_itself_is_refused(made: Made, server: Any) -> None:
    ring: dict[str, Any] = {}
    ring["a"] = ring
    row: list[Any] = []
    row.append(row)
    for over in (ring, {"metadata": ring}, {"stop": row}):
        with pytest.raises(errors.InputError, match="params_override is nested too deeply, or holds itself"):
            made().completion("llm.inference", "hi", over)
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "odd"),
    [("strict_env", "false"), ("strict_env", 1), ("settings", 5), ("environ", ["A"]), ("kernel_options", "x")],
)
def test_what_is_no_argument_of_a_hub_is_refused(page: dict[str, Any], name: str, odd: Any) -> None:
    with pytest.raises(errors.InputTypeError, match=f"{name} must be"):
        LLMHub(**{"config_obj": page, "environ": {}, name: odd})


@pytest.mark.parametrize("odd", ["yes", 1, [], {}])
def test_a_stream_is_asked_for_by_true_alone(made: Made, server: Any, odd: Any) -> None:
    with pytest.raises(errors.InputTypeError, match=r"stream of role 'llm\.inference' must be True or False"):
        made().completion("llm.inference", "hi", {"stream": odd})
    with pytest.raises(errors.InputError, match=r"params_override\.stream is for chats"):
        made().embedding("llm.embedding", "hi", {"stream": odd})
    assert server.requests == []


def test_a_role_may_have_a_template_and_a_call_its_values(made: Made, page: dict[str, Any], server: Any) -> None:
    page["roles"]["llm.inference"]["params"] = {"prompt_template": "greet", "prompt_values": {"tone": "kind"}}
    page["defaults"] = page["roles"]["llm.inference"]
    hub = made(settings={"heavenbase.llm.prompts.greet.user": "Be {{ tone }}, in {{ language }}: {{ input }}"})
    override = {"prompt_values": {"language": "German"}}
    for role in ("llm.inference", "of nobody"):
        assert hub.completion(role, "hi", override).choices[0].message.content == "echo: Be kind, in German: hi"
    [*chunks] = hub.stream("llm.inference", "hi", override)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "echo: Be kind, in German: hi"
    template = hb.PromptTemplate("Say {{ word }}.")
    hub.completion("llm.preprocess", template, {"prompt_values": {"word": "{{ word }}"}})
    hub.completion("llm.preprocess", None, {"prompt_template": template, "prompt_values": {"word": "ho"}})
    assert [request.json["messages"][0]["content"] for request in server.requests[-2:]] == [
        "Say {{ word }}.",
        "Say ho.",
    ]
    count = len(server.requests)
    for wrong in ({"prompt_values": 5}, {"prompt_values": {"tune": "x"}}, {"prompt_template": 5}):
        with pytest.raises(errors.InputError):
            hub.completion("llm.inference", "hi", wrong)
    assert len(server.requests) == count


def test_a_hook_that_cannot_be_called_is_refused(made: Made) -> None:
    with pytest.raises(TypeError, match="on_after_call must be callable, not int"):
        made(on_after_call=3)


def test_a_configuration_never_changes(page: dict[str, Any]) -> None:
    config = parse_runtime_config(page)
    with pytest.raises(ValueError, match="frozen"):
        config.project = "other"
    assert parse_runtime_config(config) == config == copy.deepcopy(config)


def test_a_configuration_with_a_key_is_not_pickled(page: dict[str, Any]) -> None:
    config = parse_runtime_config(page)
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301
    page["providers"]["openai"] = {"api_key": "sk-in-the-file"}
    config = parse_runtime_config(page)
    with pytest.raises(errors.InputTypeError, match="never pickled") as raised:
        pickle.dumps(config)
    assert "sk-in" not in str(raised.value)
    assert copy.deepcopy(config) == copy.copy(config) == config == config.model_copy(deep=True)


def test_errors_survive_a_pickle(page: dict[str, Any]) -> None:
    page["roles"]["llm.inference"]["mode"] = "chatt"
    with pytest.raises(ConfigError) as raised:
        parse_runtime_config(page)
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301
    assert (again.path, str(again)) == (raised.value.path, str(raised.value))
