"""Connection options in rows of arguments: as if they were given with the call, each bound to where it was set."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.errors import ConfigTrustError, InputError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.spec import LLMSpec

from ..support import CodeProvider, ScriptedGateway, make_kernel, scripted

LLM_KEY = "heavenbase.llm"
MINE = {"base_url": "https://mine.test/v1", "api_key": "sk-mine-000", "headers": {"X-Tok": "t"}}
ROWS = {
    "root": "default_args",
    "gateway": "gateways.scripted.default_args",
    "model": "models.tiny.default_args",
    "model at the provider": "models.tiny.providers.acme.default_args",
    "provider": "providers.acme.default_args",
    "preset": "presets.house.default_args",
    "preset's args": "presets.house.args",
}
TINY = {f"{LLM_KEY}.models.tiny": {"providers": {"acme": {"id": "tiny-1"}}}, f"{LLM_KEY}.presets.house.model": "tiny"}


def shown(spec: LLMSpec) -> tuple[Any, ...]:
    return spec.base_url, spec.api_key and spec.api_key.reveal(), dict(spec.headers)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a2_a_connection_in_any_row_of_arguments_is_used(row: str) -> None:
    house = scripted(config={**TINY, f"{LLM_KEY}.{row}": MINE})
    assert shown(house.llm.spec) == ("https://mine.test/v1", "sk-mine-000", {"X-Tok": "t"})
    assert not {"base_url", "api_key", "headers"} & house.llm.spec.args.keys()
    assert "sk-mine-000" not in f"{house.llm.spec.provider_record}{house.llm.spec.gateway_record}"
    assert "constructor" in house.llm.spec.origins["api_key"]
    house.llm.chat("x")
    assert house.gateway.calls[-1].spec.base_url == "https://mine.test/v1"


def test_a2_later_rows_and_the_caller_win() -> None:
    keys = {f"{LLM_KEY}.{row}.api_key": f"sk-{place}-000" for place, row in enumerate(ROWS.values())}
    kernel = make_kernel(config={**TINY, **keys})
    assert shown(kernel.resolve())[1] == "sk-6-000"
    assert shown(kernel.resolve(api_key="sk-call-00"))[1] == "sk-call-00"
    assert shown(kernel.resolve(model="tiny"))[1] == "sk-4-000"
    token = make_kernel(config={**TINY, **keys, f"{LLM_KEY}.presets.house.args": {"auth_token": "tk-0000"}}).resolve()
    assert (shown(token)[1], "api_key" in token.origins, "auth_token" in token.origins) == ("tk-0000", False, True)


def test_a2_a_row_can_take_a_connection_back() -> None:
    config = {**TINY, f"{LLM_KEY}.default_args.api_key": "sk-root-00", f"{LLM_KEY}.presets.house.unset": ["api_key"]}
    assert shown(make_kernel(config=config).resolve())[1] == "sk-acme-000"


def test_a2_references_in_rows_are_read_and_what_they_name_is_never_shown() -> None:
    config = {
        **TINY,
        f"{LLM_KEY}.models.tiny.providers.acme.default_args": {"api_key": "${env:MINE}", "user": "${env:ME}"},
    }
    spec = make_kernel(config=config, environ={"MINE": "sk-mine-000", "ME": "me"}).resolve()
    assert (shown(spec)[1], spec.args["user"]) == ("sk-mine-000", "me")
    assert "sk-mine-000" not in f"{spec.provider_record}{spec.model_record}{spec.args}{spec.to_dict()}"


@pytest.mark.parametrize("field", ["api_key", "auth_token"])
@pytest.mark.parametrize("table", ["providers.acme", "gateways.scripted"])
def test_a2_the_credential_of_a_provider_or_gateway_is_sent(table: str, field: str) -> None:
    spec = make_kernel(config={f"{LLM_KEY}.{table}.{field}": "sk-mine-000"}).resolve()
    assert (shown(spec)[1], field in spec.origins) == ("sk-mine-000", True)


def test_a2_one_call_may_still_change_what_a_row_says() -> None:
    house = scripted(config={**TINY, f"{LLM_KEY}.presets.house.args": {**MINE, "auth_token": None}})
    house.llm.chat("x", auth_token="tk-call-0", headers={"y": "2"})
    spec = house.gateway.calls[-1].spec
    assert shown(spec) == ("https://mine.test/v1", "tk-call-0", {"X-Tok": "t", "y": "2"})
    assert "auth_token" in spec.origins
    assert "api_key" not in spec.origins


def test_a2_the_address_of_the_settings_is_one_of_the_users() -> None:
    def own() -> CodeProvider:
        return CodeProvider("open", base_url=None, require_base_url=True, api_key_env=["OPEN_KEY"])

    with pytest.raises(
        InputError, match=r"needs a base_url; pass base_url=, or hb cfg set .*providers\.open\.base_url"
    ):
        make_kernel(plugins=(own(),)).resolve(model="open/m")
    for key in ("providers.open.base_url", "providers.open.default_args.base_url"):
        kernel = make_kernel(plugins=(own(),), config={f"{LLM_KEY}.{key}": "https://mine.test/v1"})
        assert LLM(model="open/m", kernel=kernel).spec.base_url == "https://mine.test/v1"


def test_a2_a_header_is_one_however_it_is_spelt_and_a_null_takes_it_away() -> None:
    config = {
        f"{LLM_KEY}.providers.acme.headers": {"X-Tok": "provider", "X-Gone": "1"},
        f"{LLM_KEY}.default_args.headers": {"x-tok": "row", "x-gone": None},
    }
    assert dict(make_kernel(config=config).resolve().headers) == {"x-tok": "row"}


def test_a2_a_key_of_the_user_never_goes_where_a_projects_row_points(tmp_path: Any) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text('[heavenbase.llm.default_args]\napi_key = "sk-user-00"\n')
    work = tmp_path / "work"
    work.mkdir()
    (work / "heavenbase.toml").write_text(
        '[heavenbase.llm.providers.evil]\nbase_url = "https://evil.test/v1"\napi_key = "sk-evil-00"\n'
    )
    config = Config.load(environ={"HEAVENBASE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}, project_dir=work)
    kernel = Kernel(config, plugins=[ScriptedGateway()], discover_plugins=False)
    with pytest.raises(ConfigTrustError):
        kernel.resolve(model="evil/m", gateway="scripted")
