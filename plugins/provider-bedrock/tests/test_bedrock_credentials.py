"""Who a call is made as, and where it goes: keys, profiles, regions, tokens, and what is said when there is none."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from hb_provider_bedrock.client import client_of
from hb_provider_bedrock.conformance import ALONE, SIGNING, surroundings
from hb_testing.server import LoopbackServer, RecordedRequest
from heavenbase import errors
from heavenbase.config import Config
from heavenbase.discovery import vendor_variables
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

from .support import COLOURS, NOVA, TOKEN, Replay, ask, llm_of, make_kernel

ANSWER = HTTPResponse(
    200,
    [("content-type", "application/json")],
    json.dumps({"output": {"message": {"content": [{"text": "ok"}]}}, "stopReason": "end_turn"}).encode(),
)
NOBODY = {**ALONE, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@pytest.fixture(autouse=True)
def _no_credentials_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("colour", COLOURS)
def test_g25_bedrock_signs_with_the_documented_variables(colour: str) -> None:
    with LoopbackServer() as server:
        variables = {"AWS_SESSION_TOKEN": "session-1", "AWS_DEFAULT_REGION": "eu-central-1"}
        with surroundings(variables), llm_of(base_url=server.url("bedrock")) as llm:
            assert ask(llm, colour, "complete", "hi").text == "echo: hi"
        headers = server.requests[0].headers
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIACONFORMANCE00000/")
    assert "/eu-central-1/bedrock/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "session-1"


def signature_of(request: RecordedRequest, origin: str) -> str:
    """The signature that botocore gives a request, at the time that it names, over the headers that it names."""
    auths, requests, credentials = (import_module(f"botocore.{name}") for name in ("auth", "awsrequest", "credentials"))
    signed = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    kept = {name: request.headers[name] for name in signed if name not in ("host", "x-amz-date")}
    again = requests.AWSRequest("POST", f"{origin}{request.path}", kept, request.body)
    keys = credentials.Credentials(SIGNING["AWS_ACCESS_KEY_ID"], SIGNING["AWS_SECRET_ACCESS_KEY"])
    auth = auths.SigV4Auth(keys, "bedrock", "us-east-1")
    again.context["timestamp"] = again.headers["X-Amz-Date"] = request.headers["x-amz-date"]
    return str(auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again))


def test_the_signature_is_what_boto3_itself_would_send() -> None:
    """What hb sends and what boto3's client sends for the same model are both right by the same reckoning."""
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock"), headers={"X-Team": "red"}) as llm:
        llm.chat("Grüße", extra_query={"trace": "1"})
        gateway: Any = llm.kernel.gateway(llm.spec)
        client = gateway.to_bedrock_client(llm.spec)
        client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": "Grüße"}]}])
        client.close()
        ours, theirs = server.requests
        for request in (ours, theirs):
            assert request.headers["authorization"].endswith(f"Signature={signature_of(request, server.origin)}")
    assert ours.path == f"{theirs.path}?trace=1"
    assert ours.headers["x-team"] == "red"
    assert ours.headers["host"] == theirs.headers["host"]
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    scope = r"AWS4-HMAC-SHA256 Credential=\w+/\d+/us-east-1/bedrock/aws4_request"
    assert re.match(scope, ours.headers["authorization"])
    assert re.match(scope, theirs.headers["authorization"])


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"AWS_REGION": "cn-north-1"}, "bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ({"AWS_REGION": "us-gov-west-1"}, "bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "bedrock-runtime-fips.us-east-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "https://vpce.example.com"}, "vpce.example.com"),
    ],
    ids=str,
)
def test_unusual_endpoints_are_where_boto3_has_them(variables: dict[str, str], host: str) -> None:
    replay = Replay(ANSWER)
    with surroundings(variables), llm_of(transport=replay) as llm:
        llm.chat("hi")
    assert replay.requests[0].url.startswith(f"https://{host}/model/")


@pytest.mark.parametrize("colour", COLOURS)
def test_g25_bedrock_takes_a_bearer_token_and_the_argument_wins(colour: str) -> None:
    with LoopbackServer(require_key=TOKEN) as server:
        with make_kernel(AWS_BEARER_TOKEN_BEDROCK=TOKEN) as kernel:
            llm = LLM(model=NOVA, provider="bedrock", kernel=kernel, base_url=server.url("bedrock"))
            assert ask(llm, colour, "complete", "hi").text == "echo: hi"
        with make_kernel(AWS_BEARER_TOKEN_BEDROCK="sk-other-0123456789") as kernel:
            llm = LLM(model=NOVA, provider="bedrock", kernel=kernel, base_url=server.url("bedrock"), api_key=TOKEN)
            assert ask(llm, colour, "complete", "hi").text == "echo: hi"
        assert "x-amz-date" not in server.requests[1].headers


def test_a_token_beats_access_keys_and_never_shows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with LoopbackServer() as server:
        with llm_of(base_url=server.url("bedrock", fault="S1.401"), api_key=TOKEN) as llm:
            with pytest.raises(errors.AuthError) as caught:
                llm.chat("hi")
            assert server.requests[0].bearer == TOKEN
            assert TOKEN not in str(caught.value) + repr(caught.value.__dict__) + repr(llm.spec)
        with surroundings({"AWS_SESSION_TOKEN": "canary-session-token"}), llm_of(base_url=server.url("bedrock")) as llm:
            llm.chat("hi")
    for canary in (TOKEN, "canary-session-token", SIGNING["AWS_SECRET_ACCESS_KEY"]):
        assert canary not in caplog.text


@pytest.mark.parametrize("colour", COLOURS)
def test_g25_bedrock_without_credentials_names_the_variables_and_sends_nothing(colour: str) -> None:
    with LoopbackServer() as server, surroundings(NOBODY), make_kernel() as kernel:
        llm = LLM(model=NOVA, provider="bedrock", kernel=kernel, base_url=server.url("bedrock"))
        with pytest.raises(errors.MissingCredential) as caught:
            ask(llm, colour, "complete", "hi")
        assert server.request_count == 0
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        assert name in str(caught.value)
    assert caught.value.__cause__ is None


def test_g25_bedrock_notices_rotated_keys() -> None:
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock")) as llm:
        llm.chat("one")
        with surroundings({"AWS_ACCESS_KEY_ID": "AKIAROTATED000000000"}):
            llm.chat("two")
        first, second = (request.headers["authorization"] for request in server.requests)
    assert "AKIACONFORMANCE00000" in first
    assert "AKIAROTATED000000000" in second


def test_profiles_of_the_aws_files_are_used(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = ap-southeast-2\n")
    (tmp_path / "credentials").write_text(
        "[work]\naws_access_key_id = AKIAWORK000000000000\naws_secret_access_key = secret0123456789\n"
    )
    files = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    replay = Replay(ANSWER)
    with surroundings(files), make_kernel(transport=replay) as kernel:
        llm = LLM(model=NOVA, provider="bedrock", kernel=kernel, aws_profile="work")
        assert llm.chat("hi") == "ok"
        with pytest.raises(errors.ConfigError, match="aws_profile"):
            llm.chat("hi", aws_profile="absent")
    assert replay.requests[0].url.startswith("https://bedrock-runtime.ap-southeast-2.amazonaws.com/")
    assert "AKIAWORK000000000000" in (replay.requests[0].header("authorization") or "")


@pytest.mark.parametrize(
    ("model", "options", "variables", "region"),
    [
        (NOVA, {}, {}, "us-east-1"),
        (NOVA, {}, {"AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
        (NOVA, {}, {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-north-1"),
        (NOVA, {"aws_region": "ca-central-1"}, {"AWS_REGION": "eu-north-1"}, "ca-central-1"),
        ("arn:aws:bedrock:sa-east-1:123456789012:provisioned-model/abcdefghijkl", {}, {}, "sa-east-1"),
    ],
)
def test_the_region_comes_from_option_variable_name_or_default(
    model: str, options: dict[str, str], variables: dict[str, str], region: str
) -> None:
    replay = Replay(ANSWER)
    with surroundings(variables), llm_of(model, transport=replay, **options) as llm:
        shown = llm.kernel.gateway(llm.spec).prepare(
            llm.kernel.call("complete", llm.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
        )
        llm.chat("hi")
    assert replay.requests[0].url.startswith(f"https://bedrock-runtime.{region}.amazonaws.com/model/")
    assert shown.url == replay.requests[0].url
    assert shown.auth == "Authorization: AWS4-HMAC-SHA256"


@pytest.mark.parametrize("key", [None, TOKEN])
def test_headers_of_the_caller_take_the_place_of_ours(key: str | None) -> None:
    given = {"User-Agent": "mine/1", "content-type": "application/json; charset=utf-8"}
    with LoopbackServer() as server, llm_of(base_url=server.url("bedrock"), api_key=key) as llm:
        llm.chat("hi", extra_headers=given)
        names = [name.lower() for name, _ in server.requests[0].raw_headers]
        assert len(names) == len(set(names))
        assert server.requests[0].headers["user-agent"] == "mine/1"
        assert server.requests[0].headers["content-type"] == "application/json; charset=utf-8"


def test_the_endpoint_variable_moves_requests() -> None:
    with (
        LoopbackServer() as server,
        make_kernel(AWS_ENDPOINT_URL_BEDROCK_RUNTIME=server.url("bedrock"), **SIGNING) as kernel,
    ):
        assert LLM(model=NOVA, provider="bedrock", kernel=kernel).chat("hi") == "echo: hi"


@pytest.mark.parametrize("key", [None, TOKEN])
def test_the_exported_client_is_boto3s_own(key: str | None) -> None:
    with LoopbackServer(require_key=key) as server, llm_of(base_url=server.url("bedrock"), api_key=key) as llm:
        gateway: Any = llm.kernel.gateway(llm.spec)
        client = gateway.to_bedrock_client(llm.spec)
        assert client is gateway.to_bedrock_client(llm.spec)
        answer = client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": "hi"}]}])
        assert answer["output"]["message"]["content"] == [{"text": "echo: hi"}]
        assert [
            event
            for event in client.converse_stream(modelId=NOVA, messages=[{"role": "user", "content": [{"text": "hi"}]}])[
                "stream"
            ]
            if "metadata" in event
        ]
        assert llm.chat("hi") == "echo: hi"
        client.close()


def test_boto3_is_loaded_by_the_first_call_and_not_before() -> None:
    code = """
import sys
import heavenbase as hb
llm = hb.LLM(model="amazon.nova-lite-v1:0", provider="bedrock")
from hb_provider_bedrock.gateway import BedrockGateway
loaded = [name for name in sys.modules if name.partition(".")[0] in ("boto3", "botocore", "urllib3", "s3transfer")]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **SIGNING}, timeout=60)


@pytest.mark.parametrize("region", ["x.evil.example/", "evil.example#", "us-1@evil.example", "us east", "US-EAST-1"])
def test_h2_a_region_is_a_name_and_no_part_of_an_address(region: str) -> None:
    ways: list[tuple[dict[str, str], dict[str, Any]]] = [({"AWS_REGION": region}, {}), ({}, {"aws_region": region})]
    for environ, options in ways:
        with make_kernel(AWS_BEARER_TOKEN_BEDROCK=TOKEN, **environ) as kernel:
            llm = LLM(model=f"bedrock/{NOVA}", kernel=kernel, max_retries=0, **options)
            with pytest.raises(errors.InputError, match=re.escape(repr(region))):
                llm.chat("hi")


def test_h2_an_endpoint_of_a_folders_dotenv_file_is_not_read_past_the_settings(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("AWS_ENDPOINT_URL=https://evil.example\n")
    dotenv.chmod(0o600)
    variables = {"HOME": str(tmp_path / "home"), "AWS_BEARER_TOKEN_BEDROCK": TOKEN}
    with Kernel(Config.load(environ=variables, project_dir=tmp_path, dotenv=True)) as kernel:
        llm = LLM(model=f"bedrock/{NOVA}", kernel=kernel)
        call = kernel.call("complete", llm.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
        assert "evil" not in kernel.gateway(llm.spec).prepare(call).url
        assert "evil" not in str(vars(client_of(llm.spec, {}, kernel.services)))


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "AKIAOFTHEFILE0000000"),
        ({"AWS_ACCESS_KEY_ID": "AKIAMINE000000000000", "AWS_SECRET_ACCESS_KEY": "mine"}, "AKIAMINE000000000000"),
        ({"AWS_PROFILE": "work"}, "AKIAWORK000000000000"),
    ],
)
def test_g25_bedrock_signs_with_keys_of_a_dotenv_file_where_the_environment_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], name: str
) -> None:
    (tmp_path / "aws").write_text("[work]\naws_access_key_id=AKIAWORK000000000000\naws_secret_access_key=work\n")
    dotenv = tmp_path / ".env"
    dotenv.write_text("AWS_ACCESS_KEY_ID=AKIAOFTHEFILE0000000\nAWS_SECRET_ACCESS_KEY=secret\nAWS_REGION=eu-west-1\n")
    dotenv.chmod(0o600)
    variables = {**ALONE, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws"), **environ}
    for variable, value in {**variables, "HEAVENBASE_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(variable, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.HBWarning)
        config = Config.load(project_dir=tmp_path, dotenv=vendor_variables)
    with Kernel(config) as kernel, LoopbackServer() as server:
        llm = LLM(model=f"bedrock/{NOVA}", kernel=kernel, base_url=server.url("bedrock"))
        assert llm.chat("hi") == "echo: hi"
        assert f"Credential={name}/" in server.requests[0].headers["authorization"]


@pytest.mark.parametrize(
    ("key", "trusted", "allowed"),
    [("AWS_BEARER_TOKEN_BEDROCK", False, True), ("AWS_ACCESS_KEY_ID", False, False), ("AWS_ACCESS_KEY_ID", True, True)],
)
def test_h2_an_address_of_a_dotenv_file_wants_a_key_beside_it_that_hb_sends_itself(
    tmp_path: Path, key: str, trusted: bool, allowed: bool
) -> None:
    dotenv = tmp_path / ".env"
    address = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME=https://gate.example"
    dotenv.write_text(f"{key}=of-this-file-0123\nAWS_SECRET_ACCESS_KEY=secret\n{address}\n")
    dotenv.chmod(0o600)
    environ = {"HEAVENBASE_HOME": str(tmp_path / "home")}
    config = Config.load(environ=environ, project_dir=tmp_path, dotenv=vendor_variables, trusted=trusted)
    with Kernel(config) as kernel:
        if allowed:
            assert kernel.resolve(model=f"bedrock/{NOVA}").base_url == "https://gate.example"
        else:
            with pytest.raises(errors.ConfigTrustError, match="without a key"):
                kernel.resolve(model=f"bedrock/{NOVA}")
