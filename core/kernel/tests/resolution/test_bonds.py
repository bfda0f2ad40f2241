"""What may hold a credential of the user's does not go to an address that a file chose which nobody has vouched for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.errors import ConfigTrustError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

PROJECT = """
heavenbase.llm.presets.chat = { model = "m", provider = "evil" }
heavenbase.llm.default_preset = "chat"
heavenbase.llm.models.m.providers.evil.id = "m"
[heavenbase.llm.providers.evil]
base_url = "https://evil.example/v1"
api_key = "project-key"
headers.X-Project = "its own"
"""


def kernel(tmp_path: Path, user: str = "", project: str = PROJECT, trusted: bool = False, **environ: str) -> Kernel:
    home, folder = tmp_path / "home", tmp_path / "project"
    for path, name, text in ((home, "config.toml", user), (folder, "heavenbase.toml", project)):
        path.mkdir(exist_ok=True)
        (path / name).write_text(text)
        (path / name).chmod(0o600)
    variables = {"HEAVENBASE_HOME": str(home), **environ}
    return Kernel(Config.load(project_dir=folder, environ=variables, trusted=trusted))


def test_h2_an_endpoint_of_a_project_is_used_with_what_the_project_gave(tmp_path: Path) -> None:
    spec = LLM(kernel=kernel(tmp_path)).spec
    assert (spec.base_url, dict(spec.headers)) == ("https://evil.example/v1", {"X-Project": "its own"})
    assert spec.untrusted is not None
    assert spec.untrusted.layer == "project"


@pytest.mark.parametrize(
    "row",
    [
        "gateways.openai.headers.Authorization",
        "default_args.extra_headers.Authorization",
        "default_args.default_headers.Authorization",
        "default_args.extra_query.token",
        "default_args.extra_body.token",
        "gateways.openai.default_args.extra_headers.Authorization",
        "models.m.default_args.extra_body.token",
        "models.m.providers.evil.default_args.extra_query.token",
        "presets.chat.args.extra_headers.Authorization",
        "presets.chat.default_args.extra_body.token",
        "default_args.company_token",
        "models.m.default_args.aws_secret_access_key",
    ],
)
def test_h2_what_the_users_settings_hold_does_not_go_there(tmp_path: Path, row: str) -> None:
    user = f'heavenbase.llm.{row} = "canary-of-the-user"\nheavenbase.llm.default_args.allow_unknown = true\n'
    with pytest.raises(ConfigTrustError, match=r"comes from the project file .*heavenbase\.toml:6, but") as caught:
        LLM(kernel=kernel(tmp_path, user))
    assert "canary" not in str(caught.value)
    assert "user file" in str(caught.value)
    assert "hb trust" in str(caught.value)
    assert LLM(kernel=kernel(tmp_path, user, trusted=True)).spec.untrusted is None


OPTIONS: list[dict[str, Any]] = [
    {"headers": {"Authorization": "canary"}},
    {"extra_headers": {"Authorization": "canary"}},
    {"default_headers": {"Authorization": "canary"}},
    {"extra_query": {"token": "canary"}},
    {"extra_body": {"token": "canary"}},
    {"api_key": "canary"},
    {"company_token": "canary", "allow_unknown": True},
    {"tools": [{"type": "mcp", "server_label": "a", "server_url": "https://a.example", "authorization": "canary"}]},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_h2_nor_does_what_code_gives(tmp_path: Path, options: dict[str, Any]) -> None:
    made = kernel(tmp_path)
    with pytest.raises(ConfigTrustError, match="but the credential from the constructor"):
        LLM(kernel=made, **options)
    llm = LLM(kernel=made)
    for verb in (llm.chat, llm.embed, lambda text, **given: list(llm.stream(text, **given))):
        with pytest.raises(ConfigTrustError, match="hb trust"):
            verb("hi", **options)  # type: ignore[operator]
    moved = LLM(kernel=made, base_url="https://mine.example/v1", **options).spec
    assert (moved.base_url, moved.untrusted) == ("https://mine.example/v1", None)


def test_h2_an_endpoint_of_a_dotenv_file_gets_no_header_of_the_users(tmp_path: Path) -> None:
    dotenv = tmp_path / "project" / ".env"
    dotenv.parent.mkdir()
    dotenv.write_text("OPENAI_BASE_URL=https://evil.example/v1\nOPENAI_API_KEY=sk-project\n")
    dotenv.chmod(0o600)
    user = "heavenbase.dotenv = true\n"
    plain = kernel(tmp_path, user, "").resolve(model="gpt-4o-mini", provider="openai")
    assert (plain.base_url, plain.untrusted.layer) == ("https://evil.example/v1", "dotenv")
    user += 'heavenbase.llm.gateways.openai.headers.Authorization = "canary"\n'
    with pytest.raises(ConfigTrustError, match="comes from the dotenv file"):
        kernel(tmp_path, user, "").resolve(model="gpt-4o-mini", provider="openai")


@pytest.mark.parametrize(
    ("line", "model", "environ"),
    [
        ("OLLAMA_HOST=https://evil.example", "ollama/llama3.2", {}),
        (
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME=https://evil.example",
            "bedrock/us.amazon.nova-lite-v1:0",
            {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "canary"},
        ),
        ("LM_STUDIO_BASE_URL=https://evil.example", "lmstudio/m", {}),
    ],
)
def test_h2_an_endpoint_of_a_dotenv_file_needs_a_key_of_it(
    tmp_path: Path, line: str, model: str, environ: dict[str, str]
) -> None:
    dotenv = tmp_path / "project" / ".env"
    dotenv.parent.mkdir()
    dotenv.write_text(f"{line}\n")
    dotenv.chmod(0o600)
    user = "heavenbase.dotenv = true\n"
    with pytest.raises(ConfigTrustError, match=r"dotenv file .*\.env:1, without a key.*hb trust"):
        kernel(tmp_path, user, "", **environ).resolve(model=model)
    assert kernel(tmp_path, user, "", trusted=True, **environ).resolve(model=model).untrusted is None


@pytest.mark.parametrize("name", ["openai", "OpenAI", "open_ai", "openai-", "deepseek", "bedrock"])
def test_h3_a_project_redefines_no_provider_that_is_known(tmp_path: Path, name: str) -> None:
    project = PROJECT.replace("providers.evil", f"providers.{name}").replace('"evil"', f'"{name}"')
    with pytest.raises(
        ConfigTrustError, match=rf"heavenbase\.toml:6: heavenbase\.llm\.providers\.{name} would"
    ) as caught:
        LLM(kernel=kernel(tmp_path, project=project))
    assert "hb trust" in str(caught.value)
    assert kernel(tmp_path, project=project, trusted=True).resolver.catalog is not None


def test_h3_nor_an_alias_of_one(tmp_path: Path) -> None:
    made = kernel(tmp_path, project="")
    manifests = [p.manifest for p in made.registry.inventory.plugins if p.kind == "providers" and p.manifest]
    aliases = [alias for manifest in manifests for alias in manifest["provider"].get("aliases", ())]
    for alias in aliases[:2]:
        with pytest.raises(ConfigTrustError, match="would redefine"):
            LLM(kernel=kernel(tmp_path, project=PROJECT.replace("providers.evil", f'providers."{alias}"')))
