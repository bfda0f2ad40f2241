"""What a project that nobody has vouched for may set: an allow-list, of arguments and of keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavenbase.config import Config
from heavenbase.config.schema import known_keys, look_up
from heavenbase.errors import ConfigTrustError
from heavenbase.options import FREE, TABLE

EVIL = "https://evil.example/v1"
ROWS = (
    "heavenbase.llm.default_args",
    "heavenbase.llm.gateways.openai.default_args",
    "heavenbase.llm.providers.openai.default_args",
    "heavenbase.llm.models.m.default_args",
    "heavenbase.llm.models.m.providers.openai.default_args",
    "heavenbase.llm.presets.chat.default_args",
    "heavenbase.llm.presets.chat.args",
)
VALUES = {
    "bool": "true",
    "int": "1",
    "float": "1",
    "str": '"x"',
    "list[str]": '["x"]',
    "list": "[]",
    "table": '{ a = "x" }',
}


def write(folder: Path, text: str) -> None:
    (folder / "heavenbase.toml").write_text(text)
    (folder / "heavenbase.toml").chmod(0o600)


def load(folder: Path, trusted: bool = False) -> Config:
    return Config.load(project_dir=folder, environ={"HEAVENBASE_HOME": str(folder / "home")}, trusted=trusted)


def value_of(types: str) -> str:
    return next((VALUES[word] for word in types.split(" | ") if word in VALUES), '"x"')


@pytest.mark.parametrize("row", ROWS)
def test_h1_arguments_that_a_project_may_set_are_an_allow_list_in_every_row(tmp_path: Path, row: str) -> None:
    free = [option for option in TABLE if option.free]
    write(tmp_path, "".join(f"{row}.{option.name} = {value_of(option.types)}\n" for option in free))
    load(tmp_path)
    known = [(option.name, value_of(option.types)) for option in TABLE if not option.free]
    refused = [*known, ("anything", '"x"'), ("safety_settings", "[]"), ("system", '"x"'), ("include", '"x"')]
    write(tmp_path, "".join(f"{row}.{name} = {value}\n" for name, value in refused))
    with pytest.raises(ConfigTrustError) as caught:
        load(tmp_path)
    lines = str(caught.value).splitlines()
    for number, (name, _) in enumerate(refused):
        assert lines[number].startswith(f"{tmp_path / 'heavenbase.toml'}:{number + 1}: {row}.{name}")
    assert f"hb trust {tmp_path}" in lines[-1]


@pytest.mark.parametrize(
    "table",
    [
        'path = "/home/me/important.txt"',
        'backend = "redis"\noptions.url = "redis://evil.example"',
        'path = "answers.db"\nnamespace = "shared"',
    ],
)
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", ["cache", "cache_config"])
def test_h1_no_row_of_arguments_chooses_the_cache(tmp_path: Path, row: str, name: str, table: str) -> None:
    write(tmp_path, f"[{row}.{name}]\n{table}\n")
    with pytest.raises(ConfigTrustError, match=rf"heavenbase\.toml:2: {row}\.{name}"):
        load(tmp_path)


def test_h1_free_arguments_move_nothing() -> None:
    assert {"temperature", "max_tokens", "seed", "stop", "top_p", "think", "reasoning_effort"} <= FREE
    for option in TABLE:
        assert not option.free or option.kind in ("argument", "control"), option.name
        assert not option.free or not option.secret, option.name
        assert not option.free or not option.name.startswith(("mock", "cache", "extra_", "max_retries")), option.name


@pytest.mark.parametrize(
    "line",
    [
        'default_args.mock_text = "all is well"',
        'default_args.extra_body.messages = [{ role = "user", content = "x" }]',
        'default_args.tools = [{ type = "mcp", server_url = "https://evil.example" }]',
        'default_args.unset = ["http_proxy"]',
        'unset = ["http_proxy"]',
        'presets.chat.unset = ["http_proxy"]',
        'providers.openai.unset = ["max_tokens", "https_proxy"]',
        'providers.openai.api_key = "attacker"',
        'gateways.openai.api_key = "attacker"',
        'gateways.portkey.api_key = "attacker"',
        'providers.openai.gateway = "portkey"',
        'presets.chat.gateway = "portkey"',
        'default_gateway = "portkey"',
        'providers.openai.wire = "anthropic"',
        'providers.evil.prefixes = ["gpt-"]\nproviders.evil.base_url = "https://evil.example"',
        "retry.max_attempts = 300",
        "retry.budget_ratio = 100",
        "default_args.max_retries = 300",
        'cache.policy = "force"',
        "cache.namespaces.text.max_entries = 1",
        'on_lossy = "allow"',
        "tool_call_repair.enabled = true",
    ],
)
def test_h7_keys_are_an_allow_list_too(tmp_path: Path, line: str) -> None:
    if line.startswith("unset"):
        line = f"models.m.{line}"
    write(tmp_path, f"[heavenbase.llm]\n{line}\n")
    with pytest.raises(ConfigTrustError, match=r"heavenbase\.toml:2: heavenbase\.llm\.") as caught:
        load(tmp_path)
    assert "evil.example" not in str(caught.value)
    load(tmp_path, trusted=True)


@pytest.mark.parametrize(
    "line", ['local.model = "/etc/shadow"', 'plugins.lock = "evil.lock"', "plugins.import_timeout = 1", "dotenv = true"]
)
def test_h7_nor_does_a_project_open_files_or_choose_plugins(tmp_path: Path, line: str) -> None:
    write(tmp_path, f"[heavenbase]\n{line}\n")
    with pytest.raises(ConfigTrustError, match=r"heavenbase\.toml:2: heavenbase\."):
        load(tmp_path)


@pytest.mark.parametrize(
    "value",
    ["projects/of-another/locations/us-central1/endpoints/7", "arn:aws:bedrock:us-east-1:666666666666:custom-model/m"],
)
@pytest.mark.parametrize("key", ["presets.chat.model", "models.m.providers.vertex", "models.m.providers.vertex.id"])
def test_h7_a_project_names_no_model_that_lies_in_an_account(tmp_path: Path, key: str, value: str) -> None:
    write(tmp_path, f'[heavenbase.llm]\n{key} = "{value}"\n')
    with pytest.raises(ConfigTrustError, match=r"heavenbase\.toml:2: heavenbase\.llm\."):
        load(tmp_path)
    write(tmp_path, f'[heavenbase.llm]\n{key} = "meta-llama/Llama-3.3-70B"\n')
    load(tmp_path)


def test_h7_what_a_project_may_unset_it_may_set(tmp_path: Path) -> None:
    write(tmp_path, 'heavenbase.llm.presets.chat = { model = "m", unset = ["temperature", "seed"] }\n')
    assert load(tmp_path).get("heavenbase.llm.presets.chat.unset") == ["temperature", "seed"]


def test_h7_the_keys_that_are_free_are_these() -> None:
    free = {".".join(path[2:]) for path, _ in known_keys() if (found := look_up(path)) is not None and found.free}
    settings = {key for key in free if "args" not in key and "capabilities" not in key}
    assert settings == {
        *("default_preset", "default_provider", "cache.enabled"),
        *(f"cache.namespaces.{name}.enabled" for name in ("text", "embedding", "image")),
        *(f"timeouts.{name}" for name in ("connect", "first_token", "idle", "stall", "total", "pool")),
        *(f"presets.<name>.{name}" for name in ("model", "provider", "description")),
        *(f"models.<name>.{name}" for name in ("aliases", "default_provider", "dim", "description")),
        *(f"models.<name>.providers.<name>{name}" for name in ("", ".id")),
    }


def test_h7_an_endpoint_of_a_project_takes_no_names_and_reads_no_variables(tmp_path: Path) -> None:
    row = f'[heavenbase.llm.providers.inhouse]\nbase_url = "{EVIL}"\napi_key = "inhouse-key"\n'
    write(tmp_path, f'{row}wire = "openai"\nmodels.m = "inhouse-m"\ndefault_args.temperature = 0.1\n')
    load(tmp_path)
    for line in (
        'aliases = ["openai"]',
        'prefixes = ["gpt-"]',
        'api_key_env = ["OPENAI_API_KEY"]',
        'base_url_env = "X"',
        "allow_http = true",
        'gateway = "portkey"',
        'options.endpoint_url = "x"',
        'default_args.extra_headers.X = "x"',
    ):
        write(tmp_path, f"{row}{line}\n")
        with pytest.raises(ConfigTrustError, match=r"heavenbase\.toml:4: heavenbase\.llm\.providers\.inhouse\."):
            load(tmp_path)
