"""What happens where litellm is not installed, or is a release that must not run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from hb_gateway_litellm import LiteLLMGateway, sdk
from hb_testing.server import LoopbackServer
from heavenbase.errors import ConfigError, MissingPackage, PluginFallbackWarning, PluginLoadError
from heavenbase.llm import LLM
from heavenbase.operations.asking import method_of

from .support import DEEPSEEK, KEY, make_kernel


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without litellm."""
    find = importlib.util.find_spec
    monkeypatch.setattr(sdk, "find_spec", lambda name: None if name == "litellm" else find(name))


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(strict=False) as running:
        yield running


@pytest.mark.usefixtures("missing")
def test_hb31_without_litellm_the_openai_gateway_takes_its_place_and_says_so(server: LoopbackServer) -> None:
    with make_kernel(DEEPSEEK_BASE_URL=server.url("openai"), DEEPSEEK_API_KEY=KEY) as kernel:
        with pytest.warns(PluginFallbackWarning, match=r"pip install hb-gateway-litellm\[litellm\]"):
            llm = LLM(**DEEPSEEK, kernel=kernel)
        assert (llm.spec.gateway, llm.spec.requested_gateway) == ("openai", "litellm")
        llm.chat("x")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.usefixtures("missing")
def test_strict_plugins_make_it_an_error_that_says_what_to_install() -> None:
    with (
        make_kernel({"heavenbase.llm.strict_plugins": True}) as kernel,
        pytest.raises(PluginLoadError, match=r"needs the package litellm.*takes the openai package's major 2 with it"),
    ):
        kernel.resolve(**DEEPSEEK)


@pytest.mark.parametrize("release", sorted(sdk.MALICIOUS))
def test_a_malicious_release_is_never_imported(release: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = importlib.metadata.version
    monkeypatch.setattr(sdk, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: release if name == "litellm" else read(name))
    with pytest.raises(MissingPackage, match=rf"litellm {release} .*pip install litellm=={sdk.TESTED}"):
        sdk.check_installed()


def test_the_release_that_is_installed_by_the_extra_is_the_tested_one() -> None:
    wanted = [line for line in importlib.metadata.requires("hb-gateway-litellm") or () if line.startswith("litellm")]
    assert [line.partition(";")[0].strip() for line in wanted] == [f"litellm=={sdk.TESTED}"]


def test_resolving_imports_neither_litellm_nor_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    code = (
        "import sys, warnings\nwarnings.simplefilter('ignore')\n"
        "from heavenbase.config.config import Config\nfrom heavenbase.kernel import Kernel\n"
        "spec = Kernel(Config.from_dict({})).resolve(model='ds-flash', provider='deepseek', gateway='litellm')\n"
        "assert spec.requested_gateway == 'litellm'\n"
        "assert not {'litellm', 'openai', 'httpx'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_hb34_there_are_no_clients_to_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "check_installed", lambda: None)
    with make_kernel(DEEPSEEK_API_KEY=KEY) as kernel:
        llm: Any = LLM(**DEEPSEEK, kernel=kernel)
        assert llm.spec.gateway == "litellm"
        for export in ("to_client", "to_aclient", "to_args", "to_anthropic_client", "to_anthropic_aclient"):
            with pytest.raises(ValueError, match="gateway 'litellm' has no"):
                getattr(llm, export)()


def test_hb27_models_are_named_with_their_provider_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "check_installed", lambda: None)
    with make_kernel() as kernel:
        spec = kernel.resolve(**DEEPSEEK)
        assert LiteLLMGateway().model_id(spec) == "deepseek/deepseek-v4-flash"
        spec = kernel.resolve(**{**DEEPSEEK, "model": "deepseek/deepseek-v4-flash"})
        assert LiteLLMGateway().model_id(spec) == "deepseek/deepseek-v4-flash"


@pytest.mark.parametrize(
    ("backend", "variable", "is_read"),
    [
        ("openai", "HTTPS_PROXY", True),
        ("openai", "ssl_cert_file", True),
        ("deepseek", "OPENAI_CUSTOM_HEADERS", True),
        ("deepseek", "OPENAI_PROJECT_ID", True),
        ("deepseek", "AWS_REGION", False),
        ("bedrock", "AWS_REGION", True),
        ("vertex_ai", "GOOGLE_APPLICATION_CREDENTIALS", True),
        ("openai", "NO_PROXY", False),
        ("openai", "OPENAI_API_KEY", False),
    ],
)
def test_e2_what_litellm_reads_of_the_process_must_have_been_given(backend: str, variable: str, is_read: bool) -> None:
    process = {variable: "canary", "PATH": "/bin"}
    assert sdk.surroundings(backend, {}, process) == (variable if is_read else "")
    assert sdk.surroundings(backend, {variable: "other"}, process) == (variable if is_read else "")
    assert sdk.surroundings(backend, dict(process), process) == ""


def test_e2_an_embedded_kernel_is_refused_what_litellm_would_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "find_spec", lambda name: object())
    monkeypatch.setenv("HTTPS_PROXY", "http://canary:canary@127.0.0.1:9")
    with make_kernel(DEEPSEEK_BASE_URL="http://127.0.0.1:9", DEEPSEEK_API_KEY=KEY) as kernel:
        with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
            LLM(**DEEPSEEK, kernel=kernel).chat("x")
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("operation", ["count_tokens", "models", "rerank", "files.list"])
def test_v2_the_gateway_has_no_operations_that_litellm_would_have_to_send(operation: str) -> None:
    assert method_of(LiteLLMGateway(), operation) is None
