"""R01 to R12: what calls by role do, over the wires of OpenAI and Anthropic."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hb_roles import (
    ConfigError,
    EnvVarMissingError,
    LLMHub,
    LLMHubRuntimeError,
    RuntimeConfig,
    UnknownProviderError,
    UnknownRoleError,
    load_runtime_config,
    parse_runtime_config,
    resolve_role,
)
from hb_testing.server import LoopbackServer
from heavenbase import errors

from .conftest import PAGE, Made

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "llmhub.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


# R01: the file


def test_r01_the_pages_file_loads(file: Callable[[str], Path]) -> None:
    config = load_runtime_config(file(PAGE))
    assert (config.project, config.env) == ("memory", "dev")
    assert {name: provider.env_key for name, provider in config.providers.items()} == {
        "openai": "OPENAI_API_KEY",
        "anthropic": "ANTHROPIC_API_KEY",
    }
    assert config.roles["llm.inference"].model_dump() == {
        "provider": "anthropic",
        "model": "claude-3-5-sonnet-20241022",
        "mode": "chat",
        "params": {"temperature": 0.7, "max_tokens": 2048},
    }
    assert config.defaults is None


@pytest.mark.parametrize(
    "path",
    [
        ("project",),
        ("env",),
        ("providers",),
        ("roles",),
        *(("roles", "llm.inference", key) for key in ("provider", "model", "mode")),
    ],
    ids=".".join,
)
def test_r01_a_missing_key_is_named_with_its_path(page: dict[str, Any], path: tuple[str, ...]) -> None:
    table = page
    for step in path[:-1]:
        table = table[step]
    del table[path[-1]]
    with pytest.raises(ConfigError) as raised:
        parse_runtime_config(page)
    assert raised.value.path == ".".join(path)
    assert str(raised.value) == f"{'.'.join(path)}: is required"


def test_r01_a_missing_key_is_named_with_file_and_line(file: Callable[[str], Path]) -> None:
    path = file(
        PAGE.replace("    mode: chat\n    params:\n      temperature: 0.7", "    params:\n      temperature: 0.7")
    )
    with pytest.raises(ConfigError) as raised:
        load_runtime_config(path)
    assert (raised.value.path, raised.value.line, raised.value.file) == ("roles.llm.inference.mode", 19, str(path))
    assert str(raised.value) == f"{path}:19: roles.llm.inference.mode: is required"


def test_r01_unknown_keys_are_told_with_the_nearest_all_at_once(file: Callable[[str], Path]) -> None:
    text = PAGE.replace("project:", "projct:").replace("    env_key: OPENAI", "    env_kye: OPENAI")
    text = text.replace("    params:\n      temperature: 0.2", "    parms:\n      temperature: 0.2")
    with pytest.raises(ConfigError) as raised:
        load_runtime_config(file(text))
    assert [(problem.path, problem.line) for problem in raised.value.problems] == [
        ("project", 1),
        ("projct", 1),
        ("providers.openai.env_kye", 6),
        ("roles.llm.preprocess.parms", 15),
    ]
    for nearest in ("'project'", "'env_key'", "'params'"):
        assert f"did you mean {nearest}?" in str(raised.value)


# R02: modes


@pytest.mark.parametrize("mode", ["chat", "embedding", "image", "audio", "tool", "other"])
def test_r02_there_are_six_modes(page: dict[str, Any], mode: str) -> None:
    page["roles"]["llm.inference"]["mode"] = mode
    assert parse_runtime_config(page).roles["llm.inference"].mode == mode


@pytest.mark.parametrize("mode", ["chatt", "Chat", "", None, 1, ["chat"]])
def test_r02_another_mode_is_an_error(page: dict[str, Any], mode: object) -> None:
    page["roles"]["llm.inference"]["mode"] = mode
    with pytest.raises(ConfigError, match=r"^roles\.llm\.inference\.mode: must be one of chat, embedding"):
        parse_runtime_config(page)


CALLS: dict[str, Callable[[LLMHub], Any]] = {
    "completion": lambda hub: hub.completion("it", HELLO),
    "acompletion": lambda hub: asyncio.run(hub.acompletion("it", HELLO)),  # type: ignore[arg-type]
    "stream": lambda hub: hub.stream("it", HELLO),
    "astream": lambda hub: hub.astream("it", HELLO),
    "embedding": lambda hub: hub.embedding("it", "text"),
    "aembedding": lambda hub: asyncio.run(hub.aembedding("it", "text")),  # type: ignore[arg-type]
    "image": lambda hub: hub.image("it", "a house"),
    "aimage": lambda hub: asyncio.run(hub.aimage("it", "a house")),  # type: ignore[arg-type]
    "audio": lambda hub: hub.audio("it", "text"),
}
TAKES = {
    "chat": {"completion", "acompletion", "stream", "astream"},
    "embedding": {"embedding", "aembedding"},
    "image": {"image", "aimage"},
    "audio": {"audio"},
}


@pytest.mark.parametrize("mode", TAKES)
def test_r02_the_wrong_call_for_a_mode_is_an_error_and_sends_nothing(
    made: Made, page: dict[str, Any], server: LoopbackServer, mode: str
) -> None:
    page["roles"]["it"] = {"provider": "openai", "model": "gpt-4o-mini", "mode": mode}
    hub = made()
    for name in CALLS.keys() - TAKES[mode]:
        with pytest.raises(errors.InputError, match=f"role 'it' has mode {mode}, which "):
            CALLS[name](hub)
    assert server.requests == []


def test_r02_a_role_of_mode_tool_is_for_chats_alone(made: Made, page: dict[str, Any], server: LoopbackServer) -> None:
    page["roles"]["it"] = {"provider": "openai", "model": "gpt-4o-mini", "mode": "tool"}
    hub = made()
    for name in CALLS.keys() - TAKES["chat"]:
        with pytest.raises(errors.InputError, match="role 'it' has mode tool, which "):
            CALLS[name](hub)
    assert server.requests == []


def test_r02_a_role_of_mode_other_takes_every_call(made: Made, page: dict[str, Any], server: LoopbackServer) -> None:
    page["roles"]["it"] = {"provider": "openai", "model": "gpt-image-1", "mode": "other"}
    hub = made()
    assert hub.completion("it", HELLO).object == "chat.completion"
    assert hub.embedding("it", "text").object == "list"
    assert hub.image("it", "a house").data[0].b64_json
    assert [request.path for request in server.requests] == [
        "/openai/v1/chat/completions",
        "/openai/v1/embeddings",
        "/openai/v1/images/generations",
    ]


@pytest.mark.parametrize("mode", ["audio", "other"])
def test_r02_audio_is_unsupported_until_a_gateway_has_it(
    made: Made, page: dict[str, Any], server: LoopbackServer, mode: str
) -> None:
    page["roles"]["it"] = {"provider": "openai", "model": "tts-1", "mode": mode}
    hub = made()
    with pytest.raises(errors.UnsupportedError, match="no gateway speaks or transcribes"):
        hub.audio("it", "text")
    with pytest.raises(errors.UnsupportedError, match="no gateway speaks or transcribes"):
        asyncio.run(hub.aaudio("it", "text"))  # type: ignore[arg-type]
    assert server.requests == []


def test_r02_a_role_of_mode_tool_offers_tools(made: Made, page: dict[str, Any], server: LoopbackServer) -> None:
    page["roles"]["it"] = {"provider": "openai", "model": "gpt-4o-mini", "mode": "tool"}
    hub = made()
    with pytest.raises(errors.InputError, match="no tools are offered"):
        hub.completion("it", HELLO)
    server.reply(tool_calls=[{"name": "weather", "arguments": {"city": "Paris"}, "id": "call_1"}])
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    answer = hub.completion("it", HELLO, {"tools": [tool]})
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert message.tool_calls is not None
    [call] = message.tool_calls
    assert (call.id, call.type, call.function.name) == ("call_1", "function", "weather")
    assert call.function.arguments == '{"city": "Paris"}'
    # The message goes back as it is, with the result behind it.
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    hub.completion("it", [*HELLO, message, result], {"tools": [tool]})
    sent = server.requests[-1].json["messages"]
    assert [said["role"] for said in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["function"]["name"] == "weather"


def test_r02_functions_given_as_tools_are_run_and_the_last_message_asks_for_none(
    made: Made, page: dict[str, Any], server: LoopbackServer
) -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    page["roles"]["it"] = {"provider": "openai", "model": "gpt-4o-mini", "mode": "tool"}
    server.reply(tool_calls=[{"name": "add", "arguments": {"a": 1, "b": 2}, "id": "call_1"}])
    server.reply(text="three")
    answer = made().completion("it", "1 + 2?", {"tools": [add]})
    assert answer.choices[0].message.to_dict() == {"role": "assistant", "content": "three"}
    assert len(answer.completion.attempts) == len(server.requests) == 2
    assert [call.name for call in answer.completion.tool_calls] == ["add"]


# R03: resolving


def test_r03_a_role_gives_provider_model_mode_and_params(page: dict[str, Any]) -> None:
    found = resolve_role(parse_runtime_config(page), "llm.inference")
    assert (found.role, found.provider, found.model, found.mode) == (
        "llm.inference",
        "anthropic",
        "claude-3-5-sonnet-20241022",
        "chat",
    )
    assert found.params == {"temperature": 0.7, "max_tokens": 2048}
    assert found.uses_defaults is False


def test_r03_an_override_wins_is_laid_over_tables_and_changes_nothing_behind_it(page: dict[str, Any]) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    params = page["roles"]["llm.inference"]["params"]
    params |= {"extra_body": {"a": {"b": 1, "c": 2}}, "stop": ["x", "y"], "response_format": form}
    config = parse_runtime_config(page)
    before, given = copy.deepcopy(config.model_dump()), copy.deepcopy(page)
    over = {
        "temperature": 0.1,
        "max_tokens": None,
        "extra_body": {"a": {"c": 3}, "d": 4},
        "stop": ["z"],
        "response_format": {"type": "json_object"},
    }
    kept = copy.deepcopy(over)
    found = resolve_role(config, "llm.inference", over)
    assert found.params == {
        "temperature": 0.1,
        "extra_body": {"a": {"b": 1, "c": 3}, "d": 4},
        "stop": ["z"],
        "response_format": {"type": "json_object"},  # one value, not half of another
    }
    found.params["stop"].append("more")
    found.params["extra_body"]["a"]["b"] = 9
    assert (config.model_dump(), page, over) == (before, given, kept)
    assert resolve_role(config, "llm.inference").params == before["roles"]["llm.inference"]["params"]


def test_r03_an_override_of_a_call_reaches_the_wire_and_the_next_call_is_as_before(
    made: Made, server: LoopbackServer
) -> None:
    hub = made()
    for over in ({"temperature": 0.1, "stop": ["x"]}, {"temperature": None}, None):
        hub.completion("llm.preprocess", HELLO, over)
    first, second, third = (request.json for request in server.requests)
    assert (first["temperature"], first["stop"]) == (0.1, ["x"])
    assert "temperature" not in second
    assert (third["temperature"], "stop" in third) == (0.2, False)


@pytest.mark.parametrize("name", ["model", "provider", "messages", "input", "mode", "system"])
def test_r03_what_is_no_parameter_is_refused_in_params_and_in_an_override(page: dict[str, Any], name: str) -> None:
    config = parse_runtime_config(page)
    with pytest.raises(errors.InputError, match=rf"^params_override\.{name} "):
        resolve_role(config, "llm.inference", {name: "x"})
    page["roles"]["llm.inference"]["params"][name] = "x"
    with pytest.raises(ConfigError, match=rf"^roles\.llm\.inference\.params\.{name}: "):
        parse_runtime_config(page)


# R04: unknown roles


def test_r04_without_defaults_an_unknown_role_is_an_error_that_lists_the_roles(made: Made) -> None:
    with pytest.raises(UnknownRoleError) as raised:
        made().completion("llm.other", HELLO)
    assert raised.value.role == "llm.other"
    assert raised.value.available == ("llm.preprocess", "llm.inference", "llm.embedding")
    for role in raised.value.available:
        assert role in str(raised.value)


def test_r04_with_defaults_an_unknown_role_takes_them_and_keeps_its_name(
    made: Made, page: dict[str, Any], server: LoopbackServer
) -> None:
    params = {"temperature": 0.5, "max_tokens": 9}
    page["defaults"] = {"provider": "openai", "model": "gpt-4o", "mode": "chat", "params": params}
    told: list[dict[str, Any]] = []
    hub = made(on_before_call=told.append)
    found = hub.resolve("agents.planner")
    assert (found.role, found.model, found.uses_defaults) == ("agents.planner", "gpt-4o", True)
    hub.completion("agents.planner", HELLO, {"max_tokens": 7})
    sent = server.requests[0].json
    assert (sent["model"], sent["temperature"], sent["max_completion_tokens"]) == ("gpt-4o", 0.5, 7)
    assert told[0]["role"] == "agents.planner"
    # The parameters of defaults are theirs alone.
    assert hub.resolve("llm.embedding").params == {}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("llm.inferense", "llm.inference"),
        ("llm.infernece", "llm.inference"),
        ("llm_inference", "llm.inference"),
        ("LLM.Inference", "llm.inference"),
        ("inference", "llm.inference"),
        ("llm.embeding", "llm.embedding"),
    ],
)
def test_r04_a_slip_of_a_role_never_takes_the_defaults(page: dict[str, Any], name: str, meant: str) -> None:
    page["defaults"] = page["roles"]["llm.preprocess"]
    with pytest.raises(UnknownRoleError, match=f"did you mean '{meant}'?"):
        resolve_role(parse_runtime_config(page), name)


@pytest.mark.parametrize("name", ["llm.postprocess", "llm.summary", "agents.inferior", "llm.agent2", "x"])
def test_r04_a_name_of_its_own_is_no_slip(page: dict[str, Any], name: str) -> None:
    page["defaults"] = page["roles"]["llm.agent1"] = page["roles"]["llm.preprocess"]
    assert resolve_role(parse_runtime_config(page), name).uses_defaults


# R05: undefined providers


@pytest.mark.parametrize("place", ["roles", "defaults"])
def test_r05_an_undefined_provider_is_found_at_load(page: dict[str, Any], place: str) -> None:
    role = {"provider": "opneai", "model": "m", "mode": "chat"}
    if place == "defaults":
        page["defaults"] = role
    else:
        page["roles"]["it"] = role
    with pytest.raises(UnknownProviderError) as raised:
        LLMHub(config_obj=page)
    assert raised.value.available == ("openai", "anthropic")
    path = "defaults.provider" if place == "defaults" else "roles.it.provider"
    assert str(raised.value).startswith(f"{path}: provider 'opneai' is not defined; did you mean 'openai'?")


# R06: the two ways to give the roles


@pytest.mark.parametrize("both", [False, True])
def test_r06_neither_or_both_is_a_value_error(page: dict[str, Any], both: bool) -> None:
    given: dict[str, Any] = {"config_path": "llmhub.yaml", "config_obj": page} if both else {}
    with pytest.raises(ValueError, match="config_path= or config_obj="):
        LLMHub(**given)


@pytest.mark.parametrize("given", [{"config_path": ""}, {"config_path": " "}])
def test_r06_an_empty_path_is_a_value_error(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="config_path is empty"):
        LLMHub(**given)


def test_r06_a_path_a_dictionary_and_a_config_are_the_same(
    made: Made, page: dict[str, Any], file: Callable[[str], Path]
) -> None:
    del page["roles"]["llm.embedding"]
    path = file(PAGE)
    hubs = [made(page), made(RuntimeConfig(**page)), made(config_path=path), made(config_path=str(path))]
    assert all(hub.config == hubs[0].config for hub in hubs)
    assert hubs[0].roles == ["llm.preprocess", "llm.inference"]


@pytest.mark.parametrize("given", [{"config_obj": 3}, {"config_obj": []}, {"config_path": 3}, {"config_path": b"x"}])
def test_r06_what_is_neither_path_nor_roles_is_a_type_error(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        LLMHub(**given)


# R07: strict_env


@pytest.mark.parametrize("value", [None, "", "  "])
def test_r07_strict_env_wants_every_variable_set_and_not_empty(
    made: Made, environ: dict[str, str], value: str | None
) -> None:
    del environ["ANTHROPIC_API_KEY"]
    if value is not None:
        environ["ANTHROPIC_API_KEY"] = value
    with pytest.raises(EnvVarMissingError, match="ANTHROPIC_API_KEY") as raised:
        made(strict_env=True)
    assert raised.value.variables == ("ANTHROPIC_API_KEY",)


def test_r07_strict_env_is_content_with_what_is_set(made: Made) -> None:
    assert made(strict_env=True).roles


def test_r07_without_it_nothing_is_said_until_the_call(
    made: Made, environ: dict[str, str], server: LoopbackServer
) -> None:
    environ["ANTHROPIC_API_KEY"] = ""
    hub = made()
    assert hub.completion("llm.preprocess", HELLO).choices[0].message.content == "echo: Hello"
    with pytest.raises(EnvVarMissingError, match="ANTHROPIC_API_KEY") as raised:
        hub.completion("llm.inference", HELLO)
    assert raised.value.variables == ("ANTHROPIC_API_KEY",)
    assert len(server.requests) == 1


# R08: the key


def test_r08_the_variable_of_env_key_is_the_key_that_is_sent(
    made: Made, page: dict[str, Any], environ: dict[str, str], server: LoopbackServer
) -> None:
    page["providers"] = {"openai": {"env_key": "MY_KEY"}, "anthropic": {"env_key": "MY_OTHER"}}
    environ |= {"MY_KEY": "mine", "MY_OTHER": "other"}
    hub = made()
    hub.completion("llm.preprocess", HELLO)
    hub.completion("llm.inference", HELLO)
    hub.embedding("llm.embedding", "text")
    environ["MY_KEY"] = "turned"
    with made() as later:
        later.completion("llm.preprocess", HELLO)
    first, second, third, fourth = server.requests
    assert first.headers["authorization"] == third.headers["authorization"] == "Bearer mine"
    assert second.headers["x-api-key"] == "other"
    assert fourth.headers["authorization"] == "Bearer turned"
    assert "key-of-" not in str([request.headers for request in server.requests])


def test_r08_the_providers_own_variable_does_not_stand_in_for_the_named_one(
    made: Made, page: dict[str, Any], server: LoopbackServer
) -> None:
    page["providers"]["openai"]["env_key"] = "MY_KEY"
    with pytest.raises(EnvVarMissingError, match="MY_KEY"):
        made().completion("llm.preprocess", HELLO)
    assert server.requests == []


def test_r08_without_env_key_the_providers_own_variable_counts(
    made: Made, page: dict[str, Any], server: LoopbackServer
) -> None:
    page["providers"]["openai"] = None  # as `openai:` alone
    made().completion("llm.preprocess", HELLO)
    assert server.requests[0].headers["authorization"] == "Bearer key-of-openai"


# R09: what is sent


@pytest.mark.parametrize("given", ["Hello world", ["one", "two"]])
def test_r09_an_embedding_reaches_the_wire(made: Made, server: LoopbackServer, given: Any) -> None:
    answer = made().embedding(role="llm.embedding", input=given)
    sent = server.requests[0]
    assert sent.path == "/openai/v1/embeddings"
    assert sent.json["model"] == "text-embedding-3-small"
    texts = [given] if isinstance(given, str) else given
    assert sent.json["input"] in (given, texts)
    assert [row.index for row in answer.data] == list(range(len(texts)))
    assert all(isinstance(number, float) for row in answer.data for number in row.embedding)
    assert answer.model_dump()["data"][0]["object"] == "embedding"
    assert answer.usage is not None
    assert answer.usage.total_tokens


def test_r09_a_completion_reaches_the_wire_with_the_roles_parameters_alone(
    made: Made, page: dict[str, Any], server: LoopbackServer
) -> None:
    page["roles"]["plain"] = {"provider": "openai", "model": "gpt-4o-mini", "mode": "chat"}
    hub = made()
    answer = hub.completion(role="llm.inference", messages=HELLO)
    hub.completion("plain", HELLO)
    assert answer.choices[0].message.content == "echo: Hello"
    assert answer.object == "chat.completion"
    assert answer.model == "claude-3-5-sonnet-20241022"
    assert answer.to_dict()["choices"][0]["message"] == {"role": "assistant", "content": "echo: Hello"}
    assert [attempt.provider for attempt in answer.completion.attempts] == ["anthropic"]
    first, second = server.requests
    assert first.path == "/anthropic/v1/messages"
    assert first.json == {
        "model": "claude-3-5-sonnet-20241022",
        "messages": HELLO,
        "temperature": 0.7,
        "max_tokens": 2048,
    }
    assert second.json == {"model": "gpt-4o-mini", "messages": HELLO}


def test_r09_editing_the_file_alone_changes_provider_and_model(
    made: Made, file: Callable[[str], Path], server: LoopbackServer
) -> None:
    path = file(PAGE)
    made(config_path=path).completion("llm.inference", HELLO)
    edited = PAGE.replace(
        "provider: anthropic\n    model: claude-3-5-sonnet-20241022", "provider: openai\n    model: gpt-4o"
    )
    path = file(edited)
    made(config_path=path).completion("llm.inference", HELLO)
    assert [(request.path, request.json["model"]) for request in server.requests] == [
        ("/anthropic/v1/messages", "claude-3-5-sonnet-20241022"),
        ("/openai/v1/chat/completions", "gpt-4o"),
    ]


def test_r09_images_by_role(made: Made, page: dict[str, Any], server: LoopbackServer) -> None:
    page["roles"]["it"] = {
        "provider": "openai",
        "model": "gpt-image-1",
        "mode": "image",
        "params": {"size": "1024x1024"},
    }
    hub = made()
    answer = hub.image("it", "a house")
    later = asyncio.run(hub.aimage("it", "a house"))  # type: ignore[arg-type]
    assert answer.data[0].b64_json
    assert later.data[0].b64_json
    assert answer.result.images[0].to_bytes().startswith(b"\x89PNG")
    assert (server.requests[0].json["model"], server.requests[0].json["size"]) == ("gpt-image-1", "1024x1024")


# R10: hooks


class Told:
    """Hooks that keep what they are told, in order."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, dict[str, Any]]] = []

    def before(self, told: dict[str, Any]) -> None:
        self.rows.append(("before", told))

    def after(self, told: dict[str, Any]) -> None:
        self.rows.append(("after", told))

    async def abefore(self, told: dict[str, Any]) -> None:
        self.before(told)

    async def aafter(self, told: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self.after(told)

    def one(self) -> tuple[dict[str, Any], dict[str, Any]]:
        assert [kind for kind, _ in self.rows] == ["before", "after"]
        return self.rows[0][1], self.rows[1][1]


def test_r10_hooks_are_told_once_on_success(made: Made) -> None:
    told = Told()
    now = [100.0]

    async def slow(call: Any, next: Any) -> Any:
        now[0] += 2.5
        return await next(call)

    kernel = {"clock": lambda: now[0], "middleware": [slow]}
    hub = made(on_before_call=told.before, on_after_call=told.after, kernel_options=kernel)
    answer = hub.completion("llm.inference", HELLO, {"temperature": 0.1})
    before, after = told.one()
    call = {
        "role": "llm.inference",
        "provider": "anthropic",
        "model": "claude-3-5-sonnet-20241022",
        "mode": "chat",
        "params": {"temperature": 0.1, "max_tokens": 2048},
        "messages": HELLO,
    }
    assert before == call
    assert after == call | {"success": True, "error": None, "response": answer, "duration": 2.5}


def test_r10_the_input_of_an_embedding_is_told(made: Made) -> None:
    told = Told()
    hub = made(on_before_call=told.before, on_after_call=told.after)
    answer = hub.embedding("llm.embedding", ["a", "b"])
    before, after = told.one()
    assert (before["input"], before["mode"], "messages" in before) == (["a", "b"], "embedding", False)
    assert after["response"] == answer


def test_r10_hooks_are_told_once_on_failure(made: Made, environ: dict[str, str], server: LoopbackServer) -> None:
    environ["OPENAI_BASE_URL"] = server.url("openai", fault="S1.400")
    told = Told()
    hub = made(on_before_call=told.before, on_after_call=told.after)
    with pytest.raises(errors.RequestRejected) as raised:
        hub.completion("llm.preprocess", HELLO)
    _, after = told.one()
    assert (after["success"], after["error"], after["response"]) == (False, raised.value, None)


def test_r10_a_stream_tells_after_its_last_piece(made: Made) -> None:
    told = Told()
    hub = made(on_before_call=told.before, on_after_call=told.after)
    source = hub.stream("llm.preprocess", HELLO)
    assert told.rows == []
    text = ""
    for chunk in source:
        assert [kind for kind, _ in told.rows] == ["before"]
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    _, after = told.one()
    assert after["success"] is True
    assert after["response"].choices[0].message.content == text == "echo: Hello"


def test_r10_a_stream_that_breaks_tells_of_it_once(made: Made, environ: dict[str, str], server: LoopbackServer) -> None:
    environ["OPENAI_BASE_URL"] = server.url("openai", fault="E2.3")
    told = Told()
    hub = made(on_before_call=told.before, on_after_call=told.after)
    with pytest.raises(errors.StreamInterrupted) as raised:
        list(hub.stream("llm.preprocess", HELLO))
    _, after = told.one()
    assert (after["success"], after["error"], after["response"]) == (False, raised.value, None)


def test_r10_a_stream_that_is_left_tells_of_it_once(made: Made) -> None:
    told = Told()
    hub = made(on_before_call=told.before, on_after_call=told.after)
    source = hub.stream("llm.preprocess", HELLO)
    next(source)
    source.close()  # type: ignore[attr-defined]
    _, after = told.one()
    assert (after["success"], str(after["error"])) == (False, "the stream was left before its end")


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_r10_async_calls_tell_plain_and_async_hooks(made: Made, kind: str) -> None:
    told = Told()
    is_async = kind == "async"
    hub = made(
        on_before_call=told.abefore if is_async else told.before, on_after_call=told.aafter if is_async else told.after
    )

    async def run() -> None:
        answer = await hub.acompletion("llm.inference", HELLO)
        assert told.one()[1]["response"] == answer
        told.rows.clear()
        async for _ in hub.astream("llm.inference", HELLO):
            assert len(told.rows) == 1
        assert told.one()[1]["success"] is True

    asyncio.run(run())


def test_r10_hooks_cannot_change_a_call_and_see_no_key(made: Made, server: LoopbackServer) -> None:
    seen: list[dict[str, Any]] = []

    def spoil(told: dict[str, Any]) -> None:
        seen.append(copy.deepcopy(told))
        told["messages"][0]["content"] = "spoilt"
        told["params"].clear()

    hub = made(on_before_call=spoil)
    hub.completion("llm.preprocess", HELLO, {"api_key": "sk-of-one-call", "extra_headers": {"X-Token": "sk-more"}})
    assert server.requests[0].headers["authorization"] == "Bearer sk-of-one-call"
    assert server.requests[0].headers["x-token"] == "sk-more"
    assert server.requests[0].json["messages"] == HELLO
    assert "sk-" not in repr(seen)


@pytest.mark.parametrize("is_async", [False, True])
def test_r10_hooks_cannot_change_an_answer(made: Made, is_async: bool) -> None:
    seen: list[Any] = []

    def spoil(told: dict[str, Any]) -> None:
        seen.append(told["response"])
        if told["mode"] == "embedding":
            told["response"].data[0].embedding[0] = 99.0
        else:
            told["response"].choices[0].message.content = "spoilt"
            told["response"].usage.prompt_tokens = -1

    hub = made(on_after_call=spoil)

    async def run() -> tuple[Any, Any, list[Any]]:
        chat = await hub.acompletion("llm.preprocess", HELLO)
        return (
            chat,
            await hub.aembedding("llm.embedding", "a"),
            [it async for it in hub.astream("llm.preprocess", HELLO)],
        )

    if is_async:
        chat, vectors, pieces = asyncio.run(run())
    else:
        chat, vectors = hub.completion("llm.preprocess", HELLO), hub.embedding("llm.embedding", "a")
        pieces = list(hub.stream("llm.preprocess", HELLO))
    assert (chat.choices[0].message.content, chat.usage.prompt_tokens > 0) == ("echo: Hello", True)
    assert vectors.data[0].embedding == list(vectors.result.vectors[0])
    assert "".join(it.delta.content or "" for piece in pieces for it in piece.choices) == "echo: Hello"
    assert all(piece.usage is None or piece.usage.prompt_tokens > 0 for piece in pieces)
    assert (len(seen), seen[0].completion) == (3, chat.completion)


# R11: hooks that raise


def raising(told: dict[str, Any]) -> None:
    raise RuntimeError("a fault of the hook's own")


async def raising_async(told: dict[str, Any]) -> None:
    raise RuntimeError("a fault of the hook's own")


@pytest.mark.parametrize("hook", [raising, raising_async])
def test_r11_a_raising_hook_loses_no_answer(made: Made, hook: Any, caplog: pytest.LogCaptureFixture) -> None:
    hub = made(on_before_call=hook, on_after_call=hook)
    assert hub.completion("llm.preprocess", HELLO).choices[0].message.content == "echo: Hello"
    assert "".join(_texts(hub.stream("llm.preprocess", HELLO))) == "echo: Hello"
    assert hub.embedding("llm.embedding", "x").data
    answer = asyncio.run(hub.acompletion("llm.preprocess", HELLO))  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "echo: Hello"
    said = [record.getMessage() for record in caplog.records if record.name == "hb_roles"]
    assert said.count("on_before_call raised; the call goes on") == 4
    assert said.count("on_after_call raised; the call goes on") == 4


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Odd:
    """What is no awaitable after all."""

    def __await__(self) -> Any:
        raise SystemExit("odd")


@pytest.mark.parametrize("fault", [Unspeakable(), SystemExit(3), asyncio.CancelledError(), GeneratorExit(), None])
def test_r11_nothing_that_a_hook_raises_ends_a_call(
    made: Made, fault: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(told: Any) -> Any:
        if fault is None:
            return Odd()
        raise fault

    async def fail_later(told: Any) -> None:
        await fail(told)

    for hook in (fail, fail_later):
        hub = made(on_before_call=hook, on_after_call=hook)
        assert hub.completion("llm.preprocess", HELLO).choices[0].message.content == "echo: Hello"
        answer = asyncio.run(hub.acompletion("llm.preprocess", HELLO))  # type: ignore[arg-type]
        assert answer.choices[0].message.content == "echo: Hello"
    said = [record.getMessage() for record in caplog.records if record.name == "hb_roles"]
    assert said.count("on_after_call raised; the call goes on") == 4


def test_r11_an_async_hook_swallows_no_cancellation_of_the_caller(made: Made, server: LoopbackServer) -> None:
    async def run() -> None:
        begun = asyncio.Event()

        async def swallow(told: Any) -> None:
            begun.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

        task = asyncio.ensure_future(made(on_before_call=swallow).acompletion("llm.preprocess", HELLO))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert server.requests == []


def test_r11_a_raising_hook_hides_no_error_of_the_provider(
    made: Made, environ: dict[str, str], server: LoopbackServer
) -> None:
    environ["OPENAI_BASE_URL"] = server.url("openai", fault="S1.401")
    hub = made(on_before_call=raising, on_after_call=raising)
    with pytest.raises(errors.AuthError):
        hub.completion("llm.preprocess", HELLO)
    with pytest.raises(errors.AuthError):
        list(hub.stream("llm.preprocess", HELLO))
    with pytest.raises(errors.AuthError):
        asyncio.run(hub.acompletion("llm.preprocess", HELLO))  # type: ignore[arg-type]


def test_r11_a_raising_before_hook_does_not_keep_the_other_from_being_told(made: Made) -> None:
    told = Told()
    made(on_before_call=raising, on_after_call=told.after).completion("llm.preprocess", HELLO)
    assert len(told.rows) == 1


def test_r11_an_async_hook_that_waits_in_a_sync_call_is_logged(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    async def waits(told: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    caplog.set_level(logging.ERROR, "hb_roles")
    assert made(on_after_call=waits).completion("llm.preprocess", HELLO).choices
    assert "use the async methods" in caplog.text


# R12: colours, and one base of errors


def _texts(chunks: Any) -> list[str]:
    return [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]


@pytest.mark.parametrize("role", ["llm.preprocess", "llm.inference"])
def test_r12_every_colour_gives_the_same_answer(made: Made, role: str) -> None:
    hub = made()
    whole = hub.completion(role, HELLO)
    chunks = list(hub.stream(role, HELLO))

    async def run() -> tuple[Any, list[Any], Any]:
        answer = await hub.acompletion(role, HELLO)
        pieces = [chunk async for chunk in hub.astream(role, HELLO)]
        vectors = await hub.aembedding("llm.embedding", ["a", "b"])
        await hub.aclose()
        return answer, pieces, vectors

    later, pieces, vectors = asyncio.run(run())
    assert later.choices == whole.choices
    for found in (chunks, pieces):
        assert "".join(_texts(found)) == whole.choices[0].message.content
        assert found[0].choices[0].delta.role == "assistant"
        assert [choice.finish_reason for chunk in found for choice in chunk.choices][-1] == "stop"
        assert found[-1].usage == whole.usage
        assert {chunk.model for chunk in found} == {whole.model}
        assert all(chunk.object == "chat.completion.chunk" for chunk in found)
    assert [row.index for row in vectors.data] == [0, 1]


def test_r12_a_stream_asked_for_by_a_parameter_is_one(made: Made, server: LoopbackServer) -> None:
    told = Told()
    hub = made(on_after_call=told.after)
    chunks: Any = hub.completion("llm.preprocess", HELLO, {"stream": True})
    assert told.rows == []
    assert "".join(_texts(chunks)) == "echo: Hello"
    assert len(told.rows) == 1

    async def run() -> list[Any]:
        source: Any = await hub.acompletion("llm.preprocess", HELLO, {"stream": True})
        return [chunk async for chunk in source]

    assert "".join(_texts(asyncio.run(run()))) == "echo: Hello"
    assert all(request.json["stream"] is True for request in server.requests)


def test_r12_tool_calls_come_in_a_stream(made: Made, server: LoopbackServer) -> None:
    server.reply(tool_calls=[{"name": "weather", "arguments": {"city": "Paris"}, "id": "call_1"}])
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    chunks = list(made().stream("llm.preprocess", HELLO, {"tools": [tool]}))
    pieces = [piece for chunk in chunks for choice in chunk.choices for piece in choice.delta.tool_calls or ()]
    assert (pieces[0].id, pieces[0].function.name, pieces[0].index) == ("call_1", "weather", 0)
    assert "".join(piece.function.arguments or "" for piece in pieces) == '{"city": "Paris"}'


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("S1.400", errors.RequestRejected),
        ("S1.401", errors.AuthError),
        ("S1.404", errors.ModelNotFound),
        ("S5.500", errors.ServerError),
    ],
)
def test_r12_errors_of_providers_are_under_the_one_base(
    made: Made, environ: dict[str, str], server: LoopbackServer, fault: str, kind: type[Exception]
) -> None:
    environ["OPENAI_BASE_URL"] = server.url("openai", fault=fault)
    hub = made()
    for call in (
        lambda: hub.completion("llm.preprocess", HELLO),
        lambda: list(hub.stream("llm.preprocess", HELLO)),
        lambda: hub.embedding("llm.embedding", "x"),
        lambda: asyncio.run(hub.acompletion("llm.preprocess", HELLO)),  # type: ignore[arg-type]
    ):
        with pytest.raises(LLMHubRuntimeError) as raised:
            call()
        assert isinstance(raised.value, kind)
        assert raised.value.attempts


def test_r12_errors_of_the_file_and_of_input_are_under_the_one_base() -> None:
    for kind in (ConfigError, UnknownProviderError, UnknownRoleError, EnvVarMissingError, errors.InputError):
        assert issubclass(kind, LLMHubRuntimeError)
    assert issubclass(UnknownProviderError, ConfigError)
