"""Keys, addresses and time limits of every native provider: from where they come, and what wins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hb_testing.conformance.colours import Colour
from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer, RecordedRequest, Reply
from heavenbase.config.config import Config
from heavenbase.errors import CallTimeout, HBError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from tests.matrix import EVERY, INSTALLED, Bench, Row, addresses, credentials, make_kernel, wires

ALONE = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""What keeps boto3 from looking for credentials elsewhere."""
KEYLESS = ("ollama",)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=wires()) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_credentials_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)


def carried(request: RecordedRequest) -> list[str]:
    """The made-up keys in a request's headers."""
    return [value.removeprefix("Bearer ") for value in request.headers.values() if "key-" in value]


def ask(row: Row, kernel: Kernel, colour: Colour, **options: object) -> None:
    """One chat."""
    colour.chat(LLM(model=f"{row.name}/{row.model}", kernel=kernel, max_retries=0), "hi", **options)


@EVERY
def test_g25_each_documented_variable_holds_the_key(row: Row, server: LoopbackServer, matrix_colour: Colour) -> None:
    for variable in row.keys:
        with make_kernel({**addresses(server, row), variable: f"key-in-{variable}"}) as kernel:
            ask(row, kernel, matrix_colour)
            matrix_colour.close_kernel(kernel)
        assert carried(server.requests[-1]) == [f"key-in-{variable}"]


def test_g25_the_other_documented_variables_of_azure_and_aws(server: LoopbackServer, matrix_colour: Colour) -> None:
    azure, bedrock = (next(row for row in INSTALLED if row.name == name) for name in ("azure", "bedrock"))
    of_aws = {
        "AWS_ACCESS_KEY_ID": "AKIAMATRIX0000000000",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-matrix",
        "AWS_SESSION_TOKEN": "session-of-the-matrix",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    environ = {**addresses(server), **credentials(azure), **of_aws, "AZURE_OPENAI_API_VERSION": "2025-01-01"}
    with make_kernel(environ) as kernel:
        ask(azure, kernel, matrix_colour)
        ask(bedrock, kernel, matrix_colour)
        matrix_colour.close_kernel(kernel)
    of_azure, of_bedrock = server.requests
    assert of_azure.path.endswith("?api-version=2025-01-01")
    assert "Credential=AKIAMATRIX0000000000/" in of_bedrock.headers["authorization"]
    assert "/eu-central-1/bedrock/aws4_request" in of_bedrock.headers["authorization"]
    assert of_bedrock.headers["x-amz-security-token"] == "session-of-the-matrix"


@EVERY
def test_g25_the_argument_wins_on_the_instance_and_on_the_call(bench: Bench) -> None:
    bench.options["api_key"] = "key-of-the-instance"
    bench.complete()
    bench.complete(api_key="key-of-the-call")
    assert [carried(request) for request in bench.server.requests] == [["key-of-the-instance"], ["key-of-the-call"]]


@EVERY
def test_g25_no_key_of_another_provider_travels(bench: Bench) -> None:
    bench.complete()
    [request] = bench.server.requests
    assert carried(request) == [bench.row.key]


@EVERY
def test_g25_a_missing_key_names_the_variable_and_sends_nothing(
    row: Row, server: LoopbackServer, matrix_colour: Colour
) -> None:
    others = {name: key for name, key in credentials().items() if name not in row.keys}
    with make_kernel({**addresses(server, row), **others}) as kernel:
        if row.name in KEYLESS:
            ask(row, kernel, matrix_colour)
            assert carried(server.requests[0]) == []
        else:
            with pytest.raises(HBError, match=row.keys[0]):
                ask(row, kernel, matrix_colour)
            assert server.requests == []
        matrix_colour.close_kernel(kernel)


@EVERY
def test_g25_a_dotenv_file_is_read(row: Row, server: LoopbackServer, matrix_colour: Colour, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{row.keys[0]}='key-in-a-file'\n{row.address}={server.url(row.name)}\n")
    config = Config.load(
        environ=environment(HEAVENBASE_HOME=str(tmp_path / "home")),
        project_dir=tmp_path,
        overrides={"heavenbase.llm.cache.enabled": False},
        dotenv=True,
        trusted=True,
    )
    with Kernel(config) as kernel:
        ask(row, kernel, matrix_colour)
        matrix_colour.close_kernel(kernel)
    assert carried(server.requests[0]) == ["key-in-a-file"]


@EVERY
def test_g25_a_key_that_changes_in_the_environment_is_used_at_once(
    row: Row, server: LoopbackServer, matrix_colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in addresses(server, row).items():
        monkeypatch.setenv(name, value)
    with Kernel({"heavenbase.llm.cache.enabled": False}, environ=os.environ) as kernel:
        for key in ("key-before", "key-after"):
            monkeypatch.setenv(row.keys[0], key)
            ask(row, kernel, matrix_colour)
        matrix_colour.close_kernel(kernel)
    assert [carried(request) for request in server.requests] == [["key-before"], ["key-after"]]


@EVERY
def test_g25_base_url_and_key_of_one_call(bench: Bench) -> None:
    with LoopbackServer(wires=wires()) as other:
        bench.complete(base_url=other.url(bench.row.name), api_key="key-for-there")
        assert [carried(request) for request in other.requests] == [["key-for-there"]]
    assert bench.server.requests == []
    bench.complete()
    assert len(bench.server.requests) == 1


@EVERY
@pytest.mark.parametrize("way", ["complete", "stream"])
def test_g25_the_time_limit_of_one_call(bench: Bench, way: str) -> None:
    bench.server.script(lambda request: Reply("too late", delay=30))
    with pytest.raises(CallTimeout):
        bench.ask(way, timeout=0.05)
    bench.server.clear()
    assert bench.ask(way).text
