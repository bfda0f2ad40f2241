"""The conformance kit runs by name in any folder, says what it found, and catches plugins that break the contract."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hb_testing import GatewayContract
from hb_testing.conformance.choice import contract_for
from heavenbase.discovery.inventory import PluginInfo
from heavenbase.plugin import Gateway

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[1]
RUN = ("-p", "hb_testing", "-p", "no:cacheprovider")


def checks(report: Path, plugin: str) -> dict[str, dict[str, Any]]:
    """What a report tells about each check of a plugin."""
    found = {entry["plugin"]: entry for entry in json.loads(report.read_text(encoding="utf-8"))["plugins"]}
    return {check["name"]: check for check in found[plugin]["checks"]}


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "with a worker"])
def test_an_installed_plugin_is_checked_by_name_in_an_empty_folder(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    asked = ("--hb-plugin", "vision:openai", "--hb-report", "out/report.json")
    done = pytester.runpytest_subprocess(*RUN, *workers, *asked)
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(["*hb conformance*", "vision:openai (hb-vision-openai *): * passed, 4 not applicable"])
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    (plugin,) = report["plugins"]
    assert (plugin["plugin"], plugin["contract"], plugin["distribution"]) == (
        "vision:openai",
        "VisionContract",
        "hb-vision-openai",
    )
    assert (plugin["failed"], plugin["skipped"], plugin["not_applicable"]) == (0, 0, 4)
    reasons = {check.get("reason") for check in plugin["checks"]}
    assert "the wire takes gif" in reasons
    of_pytester = ("runpytest", "stdin", "stdout", "stderr", "tox.ini")
    left = [path.name for path in pytester.path.iterdir() if not path.name.startswith(of_pytester)]
    assert left == ["out"], "a check leaves files behind"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gateways:opena", "openai"),
        ("gateway:openai", "gateways"),
        ("openai", "KIND:NAME"),
        ("gateways:never-heard-of", "pip install hb-gateway-never-heard-of"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest_or_the_remedy(
    pytester: pytest.Pytester, text: str, words: str
) -> None:
    done = pytester.runpytest_inprocess(*RUN, "--hb-plugin", text)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert words in done.stderr.str()


def test_a_plugin_named_twice_is_checked_once_and_beside_the_files_that_are_given(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own="def test_own(): pass")
    pytester.makeini("[pytest]\npython_functions = check_* test_own\npython_classes = Check*")
    twice = ("--hb-plugin", "vision:openai") * 2
    done = pytester.runpytest_inprocess(*RUN, *twice, "test_own.py", "-k", "test_own or test_part_is_pure")
    done.assert_outcomes(passed=2, deselected=21)


def test_the_own_contract_of_a_plugin_is_the_one_that_is_run(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_inprocess(
        *RUN, "--hb-plugin", "gateways:mock", "--hb-report", "report.json", "-k", "tool_calls_arrive_whole"
    )
    outcomes = done.parseoutcomes()
    assert (outcomes["passed"], outcomes.keys() - {"passed", "deselected"}) == (4, set())
    report = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))
    assert report["plugins"][0]["contract"] == "MockContract"


@pytest.mark.parametrize(
    ("kind", "name", "value", "contract"),
    [
        ("gateways", "acme", "acme_own.deep.gateway:AcmeGateway", "Deep"),
        ("vision", "acme", "acme_own.vision:AcmeVision", "Seen"),
        ("vision", "acme", "acme_own:AcmeVision", "Seen"),
        ("providers", "acme", "acme_own:plugin", "ProviderContract"),
        ("vision", "other", "acme_own.vision:Other", "VisionContract"),
        ("vision", "acme", "acme_missing.vision:AcmeVision", "VisionContract"),
    ],
)
def test_the_nearest_contract_that_names_the_plugin_is_chosen(
    pytester: pytest.Pytester, kind: str, name: str, value: str, contract: str
) -> None:
    code = """
    from hb_testing import GatewayContract, VisionContract

    class Far(GatewayContract):
        gateway = "acme"

    class Seen(VisionContract):
        format = "acme"
    """
    package = pytester.mkpydir("acme_own")
    (package / "conformance.py").write_text(textwrap.dedent(code))
    (package / "vision.py").write_text("")
    deep = package / "deep"
    deep.mkdir()
    for file, text in {"__init__": "", "gateway": "", "conformance": code.replace("Far", "Deep")}.items():
        (deep / f"{file}.py").write_text(textwrap.dedent(text))
    pytester.syspathinsert()
    chosen = contract_for(PluginInfo(kind, name, value, "acme", "1.0", "nowhere"))
    assert [base.__name__ for base in chosen.__bases__] == [contract]
    assert chosen.subject() == name


def echo_gateway() -> Gateway:
    """The gateway that the guide writes."""
    page = (ROOT / "docs" / "how-to" / "write-a-gateway.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)  # noqa: S102 - the page is ours, and every block of it is run by its own test too
    gateway: Gateway = names["EchoGateway"]()
    return gateway


class TestEchoOfTheGuide(GatewayContract):
    """The gateway of the guide keeps the contract."""

    gateway: ClassVar[str] = "echo"

    def plugin(self) -> Gateway:
        return echo_gateway()


BROKEN = '''
import json

from hb_gateway_openai import OpenAIGateway
from heavenbase.call import WireRequest
from heavenbase.errors import HBError, StreamTruncated
from hb_testing.conformance.checks_answers import AnswerChecks
from hb_testing.conformance.checks_errors import ErrorChecks
from hb_testing.conformance.checks_requests import RequestChecks
from hb_testing.conformance.checks_batches import BatchChecks
from hb_testing.conformance.checks_streams import StreamChecks
from hb_wire_openai import WireBatches
from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.rig import KEY
from hb_testing.server import OpenAIWire
from heavenbase.types import Chunk


class Broken(GatewayBase):
    """A few checks only, so that collecting them is quick."""
    made = None

    def __init_subclass__(cls):
        cls.gateway = cls.__name__.removeprefix("Test").lower()

    def plugin(self):
        gateway = self.made()
        gateway.name = self.gateway
        return gateway

    def wires(self):
        return [OpenAIWire(name="dialect", base="/v9")]


def changed(request, **fields):
    return WireRequest(request.method, request.url, request.body | fields, dict(request.headers))


class Dialect(OpenAIGateway):
    wire = "dialect"


class TestDialect(Broken, StreamChecks):
    """Nothing is broken here: the wire is brought by the contract."""
    made = Dialect


class Retrying(OpenAIGateway):
    def chat(self, call, request):
        try:
            return super().chat(call, request)
        except HBError:
            return super().chat(call, request)


class TestRetrying(Broken, ErrorChecks):
    made = Retrying


class Leaking(OpenAIGateway):
    def prepare(self, call):
        return changed(super().prepare(call), api_key=KEY)


class TestLeaking(Broken, RequestChecks):
    made = Leaking


class Forgetful(OpenAIGateway):
    """Drops a parameter, and says that it was sent."""
    def prepare(self, call):
        request = super().prepare(call)
        body = {name: value for name, value in request.body.items() if name != "temperature"}
        return WireRequest(request.method, request.url, body, dict(request.headers))


class TestForgetful(Broken, RequestChecks):
    made = Forgetful


class Impure(OpenAIGateway):
    calls = 0
    def prepare(self, call):
        self.calls += 1
        return changed(super().prepare(call), user=str(self.calls))


class TestImpure(Broken, RequestChecks):
    made = Impure


class Inventive(OpenAIGateway):
    """Ends a cut stream as if it were whole."""
    def stream(self, call, request):
        try:
            yield from super().stream(call, request)
        except StreamTruncated:
            yield Chunk(finish_reason="stop")


class TestInventive(Broken, StreamChecks):
    made = Inventive


class Buffering(OpenAIGateway):
    def stream(self, call, request):
        yield from list(super().stream(call, request))


class TestBuffering(Broken, StreamChecks):
    made = Buffering


class Foreign(OpenAIGateway):
    def chat(self, call, request):
        try:
            return super().chat(call, request)
        except HBError as error:
            raise KeyError("choices") from None


class TestForeign(Broken, ErrorChecks):
    made = Foreign


class Counting(OpenAIGateway):
    """Keeps what usage there is to itself."""
    def stream(self, call, request):
        for chunk in super().stream(call, request):
            yield Chunk(chunk.text, finish_reason=chunk.finish_reason, raw_finish_reason=chunk.raw_finish_reason)


class TestCounting(Broken, AnswerChecks):
    made = Counting


class Telling(OpenAIGateway):
    def status(self):
        return {"key": KEY}


class TestTelling(Broken, StreamChecks):
    made = Telling


class Plainer(WireBatches):
    """Asks in a batch for something else than live."""
    async def entry(self, call):
        made = await super().entry(call)
        made.lines = [line.replace(b'"How much is it?"', b'"How much?"') for line in made.lines]
        return made


class Shortening(WireBatches):
    """Gives a part of the answer."""
    async def answer(self, call):
        answer = await super().answer(call)
        if answer.usage is not None:
            answer.usage = None
        return answer


class Pretending(WireBatches):
    """Says that it embeds, and answers chats alone."""
    async def entry(self, call):
        return await super().entry(call.replace(inputs=[], messages=[{"role": "user", "content": "?"}]))


def batched(batches):
    class Batched(OpenAIGateway):
        @property
        def batches(self):
            return batches(self)
    return Batched


class TestPlainer(Broken, BatchChecks):
    made = batched(Plainer)


class TestShortening(Broken, BatchChecks):
    made = batched(Shortening)


class TestPretending(Broken, BatchChecks):
    made = batched(Pretending)
'''
CAUGHT = {
    "retrying": "only_hb_retries[sync-chat]",
    "leaking": "no_credential_is_in_the_prepared_request",
    "forgetful": "a_parameter_ends_in_exactly_one_outcome[complete-temperature=0.5]",
    "impure": "prepare_is_pure[sync-complete]",
    "inventive": "a_stream_without_its_end_is_truncated[sync-E1.after]",
    "buffering": "the_first_chunk_comes_before_the_server_ends[sync]",
    "foreign": "a_status_becomes_its_error[sync-S5.500]",
    "counting": "usage_is_counted[sync-stream]",
    "plainer": "v6_the_request_of_a_row_is_that_of_a_live_call[sync]",
    "shortening": "v6_the_answer_of_a_row_is_that_of_a_live_call[sync]",
    "pretending": "v6_the_request_of_a_row_is_that_of_a_live_call[sync]",
    "telling": "its_status_is_plain_data_without_secrets_or_network",
}


def test_broken_gateways_are_caught_each_by_its_check(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_broken=BROKEN)
    chosen = [f"(Test{name} and {check.partition('[')[0]})" for name, check in CAUGHT.items()]
    selected = f"not async and ({' or '.join(chosen)} or (TestDialect and finished))"
    quiet = ("--tb=no", "--show-capture=no", "-rN")  # what a broken one shows may be the key
    pytester.runpytest_inprocess(*RUN, *quiet, "-k", selected, "--hb-report", "report.json")
    report = pytester.path / "report.json"
    for name, check in CAUGHT.items():
        assert checks(report, f"gateways:{name}")[check]["outcome"] == "failed", f"{name} passed {check}"
    outcomes = {check["outcome"] for check in checks(report, "gateways:dialect").values()}
    assert outcomes <= {"passed", "not_applicable"}
    assert "passed" in outcomes


def test_a_broken_provider_and_a_broken_image_format_are_caught(pytester: pytest.Pytester) -> None:
    package = pytester.mkpydir("hb_provider_broken")
    (package / "provider.toml").write_text(
        """
[provider]
name = "broken"
title = "Broken"
gateway = "openai"
wire = "openai"
base_url = "https://broken.example/v1"
api_key_env = ["BROKEN_API_KEY"]
prefixes = ["gpt-"]
allow_unknown_models = true
colour = "blue"
"""
    )
    pytester.makepyfile(
        test_both="""
        import hb_provider_broken
        from heavenbase.plugin import Provider, VisionFormat
        from hb_testing import ProviderContract, VisionContract

        class TestProvider(ProviderContract):
            provider = "broken"

            def plugin(self):
                return Provider("hb_provider_broken", "broken")

        class Constant(VisionFormat):
            name = "constant"

            def part(self, image, spec):
                return {"type": "image"}

        class TestVision(VisionContract):
            format = "constant"

            def plugin(self):
                return Constant()
        """
    )
    pytester.syspathinsert()
    done = pytester.runpytest_inprocess(*RUN, "--hb-report", "report.json", "--show-capture=no")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    report = pytester.path / "report.json"
    provider, vision = checks(report, "providers:broken"), checks(report, "vision:constant")
    assert "colour" in provider["its_manifest_is_well_formed"]["reason"]
    assert provider["its_record_is_pure"]["outcome"] == "passed"
    assert vision["different_images_make_different_parts"]["outcome"] == "failed"
    assert vision["a_url_stays_a_url"]["outcome"] == "failed"
