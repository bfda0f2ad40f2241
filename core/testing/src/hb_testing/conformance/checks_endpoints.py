"""Checks of a provider's endpoint: who gets the credential, what is refused without one, what the manifest promises."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance import parameters, samples
from hb_testing.conformance.needs import only_if
from hb_testing.conformance.provider import ProviderBase, recorded
from hb_testing.conformance.rig import KEY
from hb_testing.conformance.sandbox import dialled
from heavenbase.errors import (
    CredentialFormatError,
    EmbeddingsNotSupported,
    HBError,
    ImageGenerationNotSupported,
    MissingCredential,
    VisionNotSupported,
)
from heavenbase.options import OPTIONS

if TYPE_CHECKING:
    from hb_testing.conformance.colours import Colour
    from hb_testing.conformance.rig import Rig
    from heavenbase.llm import LLM
    from heavenbase.types import ParameterReport

CALLED = only_if(lambda contract, _: contract.unreachable())
KEYED = only_if(lambda contract, _: "" if contract.key_variables else "its manifest names no variable for a credential")
OTHER = "sk-hb-other-0a1b2c3d4e5f6071"


class EndpointChecks(ProviderBase):
    """Calls through the provider's gateway, to a loopback server in place of its endpoint."""

    def test_its_credential_goes_to_its_address_and_nowhere_else(self, rig: Rig) -> None:
        with dialled() as addresses:
            rig.call(self.asked_verb)
        assert set(addresses) <= {("127.0.0.1", rig.server.port)}, f"a call dials {addresses}"
        sent = rig.server.requests[0]
        if self.key_variables:
            assert self.key_of(rig) == KEY, f"the key in {self.key_variables[0]} does not reach the endpoint"
        assert KEY not in sent.path
        assert KEY.encode() not in sent.body

    @CALLED
    @KEYED
    def test_every_declared_variable_may_hold_the_credential(self, colour: Colour) -> None:
        for name in self.key_variables:
            with self.open_rig(colour, variables={name: KEY}) as rig:
                rig.call(self.asked_verb)
                assert self.key_of(rig) == KEY, f"the key in {name} is not used"

    @CALLED
    @only_if(lambda contract, _: "" if contract.key_variables[1:] else "it has one variable for the credential")
    def test_the_first_variable_wins(self, colour: Colour) -> None:
        first, *rest = self.key_variables
        with self.open_rig(colour, variables={first: KEY, **dict.fromkeys(rest, OTHER)}) as rig:
            rig.call(self.asked_verb)
            assert self.key_of(rig) == KEY

    @CALLED
    @KEYED
    @only_if(lambda contract, _: "its credential is optional" if contract.record.get("api_key_optional") else "")
    def test_without_a_credential_nothing_is_sent(self, colour: Colour) -> None:
        """The error names the variable to set. Other vendors' credentials are no substitute."""
        with self.open_rig(colour, variables=self.variables_of_others()) as rig:
            error = rig.error(self.asked_verb)
            assert type(error) is MissingCredential, f"a call without a credential raised {type(error).__name__}"
            assert self.key_variables[0] in str(error), f"the message does not name {self.key_variables[0]}: {error}"
            assert rig.server.request_count == 0

    @CALLED
    @recorded("api_key_optional")
    def test_an_optional_credential_may_be_missing(self, colour: Colour) -> None:
        with self.open_rig(colour, variables=self.variables_of_others()) as rig:
            rig.call(self.asked_verb)
            assert self.key_of(rig) != OTHER, "it got the credential of another vendor"

    @CALLED
    @KEYED
    @pytest.mark.parametrize("ending", ["\n", "\r\nx-more: 1"], ids=["newline", "crlf"])
    def test_a_credential_with_a_line_break_is_refused(self, colour: Colour, ending: str) -> None:
        with self.open_rig(colour, variables={self.key_variables[0]: f"{KEY}{ending}"}) as rig:
            error = rig.error(self.asked_verb)
            assert type(error) is CredentialFormatError, f"a key with a line break raised {type(error).__name__}"
            assert self.key_variables[0] in str(error)
            assert KEY not in str(error), "the message shows the credential"
            assert rig.server.request_count == 0

    @recorded("headers")
    def test_declared_headers_are_sent(self, rig: Rig) -> None:
        headers = self.record["headers"]
        rig.call(self.asked_verb)
        sent = rig.server.requests[0].headers
        assert {name: sent.get(name.lower()) for name in headers} == headers

    # What it can do

    @only_if(lambda contract, _: "" if contract.declares("stream_usage") else "its manifest declares no stream_usage")
    def test_streams_count_their_usage_where_declared(self, rig: Rig) -> None:
        assert any(chunk.usage is not None for chunk in rig.call("stream")), "no chunk has usage"

    @only_if(lambda contract, _: contract.undeclared("embeddings"))
    def test_embeddings_are_as_declared(self, rig: Rig) -> None:
        self.as_declared(rig, "embeddings", EmbeddingsNotSupported, "embed")

    @only_if(lambda contract, _: contract.undeclared("images"))
    def test_image_generation_is_as_declared(self, rig: Rig) -> None:
        self.as_declared(rig, "images", ImageGenerationNotSupported, "imagen")

    @only_if(lambda contract, _: contract.undeclared("vision"))
    def test_image_input_is_as_declared(self, rig: Rig) -> None:
        self.as_declared(rig, "vision", VisionNotSupported, "chat", content=samples.with_images(urls=False))

    @recorded("parameters")
    def test_its_rules_about_parameters_hold(self, rig: Rig) -> None:
        """Each rule, on a model that it names: what it drops, renames and clamps is reported so."""
        rules = self.record["parameters"]
        wrong = [line for place, rule in enumerate(rules) for line in self._broken(rig, rule, f"parameters[{place}]")]
        assert not wrong, "\n".join(wrong)

    def _broken(self, rig: Rig, rule: dict[str, Any], where: str) -> list[str]:
        given = {name: values[0] for name, values in rule.get("when", {}).items()}
        wanted: list[tuple[str, tuple[str, ...], Any]] = [(name, ("dropped",), None) for name in rule.get("drop", {})]
        wanted += [(name, ("renamed", "dropped"), None) for name in rule.get("rename", {})]
        wanted += [(name, ("clamped", "dropped"), _beyond(limit)) for name, limit in rule.get("clamp", {}).items()]
        found = []
        for pattern in rule.get("models", ["*"]):
            try:
                llm = rig.llm() if pattern == "*" else rig.llm(model=matching(pattern))
            except HBError:
                continue  # a model that the provider's own policy refuses
            if not fnmatchcase(llm.spec.model_id, pattern):
                continue  # an alias of another model
            if llm.spec.gateway not in rule.get("gateways", (llm.spec.gateway,)):
                continue  # a rule for another of its endpoints
            for name, outcomes, value in wanted:
                asked = {name: _sample(name) if value is None else value, **given}
                entry = self._report(rig, llm, asked).entries.get(name)
                if entry is None or entry.outcome not in outcomes:
                    outcome = entry.outcome if entry is not None else "not reported"
                    found.append(f"{where}: {name} is {outcome} for model {llm.spec.model_id!r}, not {outcomes[0]}")
        return found

    def _report(self, rig: Rig, llm: LLM, asked: dict[str, Any]) -> ParameterReport:
        others = parameters.WITH_TOOLS if asked.keys() & {"tool_choice", "parallel_tool_calls"} else {}
        return rig.prepare("complete", llm=llm, **{**others, **asked})[1]

    # Shared

    def as_declared(self, rig: Rig, ability: str, refusal: type[HBError], verb: str, **options: Any) -> None:
        """The verb works, or is refused before anything is sent."""
        if self.declares(ability):
            rig.call(verb, **options)
            assert rig.server.request_count == 1
            return
        error = rig.error(verb, **options)
        assert type(error) is refusal, f"{verb} raised {type(error).__name__}, not {refusal.__name__}"
        assert rig.server.request_count == 0, "the request was sent all the same"

    @property
    def asked_verb(self) -> str:
        """The verb that every call of these checks takes: chats, or vectors where it answers no chats."""
        return "embed" if self.declares("chat") is False else "chat"

    def declares(self, ability: str) -> Any:
        """What the manifest says of an ability; None when it says nothing."""
        return self.record.get("capabilities", {}).get(ability)

    def undeclared(self, ability: str) -> str:
        """Why an ability cannot be checked: the manifest does not say whether the provider has it; else ""."""
        return f"its manifest does not say whether it has {ability}" if self.declares(ability) is None else ""

    def key_of(self, rig: Rig) -> str | None:
        """The credential that the last request brought."""
        return rig.server.wires[rig.wire].key(rig.server.requests[-1])

    def variables_of_others(self) -> dict[str, str]:
        """The credential variables of every other installed provider, all set."""
        with self.bare_kernel() as kernel:
            plugins = kernel.registry.inventory.plugins
        records = [(info.manifest or {}).get("provider", {}) for info in plugins if info.name != self.subject()]
        names = {name for record in records for name in record.get("api_key_env", ())}
        return dict.fromkeys(sorted(names - set(self.key_variables)), OTHER)


def matching(pattern: str) -> str:
    """A model name that an fnmatch pattern matches."""
    name, rest = "", pattern
    while rest:
        character, rest = rest[0], rest[1:]
        if character == "[" and "]" in rest:
            inside, _, rest = rest.partition("]")
            name += next(c for c in "xyz019" if c not in inside) if inside.startswith("!") else inside[0]
        else:
            name += "x" if character in "*?" else character
    return name


def _sample(name: str) -> Any:
    found = next((sample.value for sample in parameters.CHAT if sample.name == name), None)
    # A text where the table of options wants one.
    return found if found is not None else ("x" if name in OPTIONS and OPTIONS[name].types.startswith("str") else 1)


def _beyond(limit: dict[str, Any]) -> Any:
    """A value that the limit does not let through."""
    if limit.get("map"):
        return next(iter(limit["map"]))
    return limit["max"] + 1 if "max" in limit else limit.get("min", 0) - 1
