"""What the checks of gateways share: the hooks for authors, and rigs against the loopback server or without one."""

from __future__ import annotations

import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hb_testing.conformance.checks_plugin import PluginChecks
from hb_testing.conformance.colours import Sync
from hb_testing.conformance.rig import KEY, PATIENCE, Clock, LazyRig, Rig, make_kernel
from hb_testing.server import LoopbackServer, Reply, Wire, fault_names
from heavenbase.errors import HBError
from heavenbase.http.gateway import HTTPGateway
from heavenbase.operations.asking import method_of
from heavenbase.plugin import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hb_testing.conformance.colours import Colour
    from hb_testing.conformance.needs import Check
    from heavenbase.kernel import Kernel
    from heavenbase.types import FinishReason

PROVIDER = "conformance"
NOWHERE = "https://conformance.invalid/v1"

_VERBS = {
    "chat": ("chat", "achat", "complete"),
    "stream": ("stream", "astream", "complete"),
    "embeddings": ("embed_batch", "aembed_batch", "embed"),
    "images": ("generate_images", "agenerate_images", "imagen"),
}
"""The methods of which a gateway overrides one when it has the ability."""
_PARTS = {"chat": "attempt", "stream": "attempt", "embeddings": "embedding", "images": "images"}
"""The part that it may bring in place of them where `HTTPGateway` has the methods."""
OPERATIONS = ("count_tokens", "models", "rerank", "files")
"""Methods beside the verbs, each an ability of its own."""
JOBS = "background"
"""The ability to answer in the background, and the object whose methods do."""
BATCHES = "batches"
"""The ability to answer many requests in its own time, and the object whose methods do."""
CAPABILITIES = (
    "chat",
    "stream",
    "tools",
    "vision",
    "reasoning",
    "structured",
    "embeddings",
    "images",
    *OPERATIONS,
    JOBS,
    BATCHES,
)

_PLAN = pytest.StashKey[Rig]()


class GatewayBase(PluginChecks):
    """The hooks of a gateway's contract; override what differs.

    Without a wire that the loopback server speaks, the gateway is taken to answer by itself, and the checks that break
    a wire do not apply.
    """

    kind = "gateways"
    named_by = "gateway"

    gateway: ClassVar[str] = ""
    """The gateway's name."""
    wire: ClassVar[str | None] = None
    """The wire of the loopback server that it speaks; None: the gateway's own `wire`; "": none."""
    provider: ClassVar[str] = ""
    """An installed provider to call it through; "": one that the kit makes up (see `provider_record`)."""
    model: ClassVar[str] = ""
    """The model to ask for; "": the provider's first, or a made-up one."""
    models: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The models that embed and imagen ask, by verb, where it must be another one."""
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType({})
    """What it can or cannot do, of `CAPABILITIES`, where that does not follow from the methods it has."""
    finish_reasons: ClassVar[Mapping[str, FinishReason] | None] = None
    """The wire's words for why an answer ended, and what they are in hb's vocabulary; None: those of `Wire`."""
    image_urls: ClassVar[bool] = True
    """Whether the wire carries the URLs of images; otherwise hb fetches them before, and the kit sends none."""
    openai_exports: ClassVar[bool] = True
    """Whether `to_client` and `to_aclient` give clients of the openai SDK; not those of another one, or none."""

    _own_wire: ClassVar[str]
    _known: ClassVar[Mapping[str, bool]]

    def wires(self) -> Iterable[Wire]:
        """Wires to add to the loopback server."""
        return ()

    def provider_record(self) -> dict[str, Any]:
        """The record of the made-up provider, as in the table [provider] of a manifest, without base_url."""
        return {}

    def options(self, base_url: str) -> Mapping[str, Any]:
        """The options of LLM that send its requests to this base URL."""
        return {"base_url": base_url, "api_key": KEY}

    def script(self, reply: Reply) -> Mapping[str, Any] | None:
        """For gateways without a server: the call options that make it answer `reply`; None when it cannot be told."""
        return None

    # Rigs

    @pytest.fixture
    def rig(self, colour: Colour) -> Iterator[Rig]:
        """A kernel with the gateway, against a loopback server where it speaks its wire; opened when it is used."""
        with contextlib.ExitStack() as stack:
            yield LazyRig(lambda: stack.enter_context(self.open_rig(colour)))

    @pytest.fixture
    def plan(self, request: pytest.FixtureRequest) -> Rig:
        """A rig for checks of `prepare` alone, which knows no colour: one for a whole class, as they change nothing."""
        owner = request.node.getparent(pytest.Class)
        rig: Rig | None = owner.stash.get(_PLAN, None)
        if rig is None:
            with contextlib.ExitStack() as stack:
                colour = stack.enter_context(contextlib.closing(Sync()))
                rig = owner.stash[_PLAN] = stack.enter_context(self.open_rig(colour, calls=False))
                stack.callback(owner.stash.__delitem__, _PLAN)
                owner.addfinalizer(stack.pop_all().close)
        return rig

    @pytest.fixture
    def wired(self, rig: Rig) -> Rig:
        """A rig with a server."""
        assert self.spoken(), self.no_wire()
        return rig

    @contextlib.contextmanager
    def open_rig(
        self, colour: Colour, *, record: Mapping[str, Any] | None = None, calls: bool = True, **server_options: Any
    ) -> Iterator[Rig]:
        """A rig; `record` is laid over the made-up provider's; without `calls` it is used for `prepare` alone."""
        clock = Clock()
        with contextlib.ExitStack() as stack:
            wire = self.spoken()
            server = None
            if wire:
                patience = PATIENCE if calls else None
                server = LoopbackServer(wires=self.wires(), patience=patience, **server_options)
                stack.enter_context(server)
            made_up = {
                "base_url": server.url(wire) if server is not None else NOWHERE,
                "wire": self.own_wire(),
                "capabilities": dict.fromkeys(("chat", "stream", "tools", "vision", "embeddings", "images"), True)
                | {"structured": "json_schema", "stream_usage": True, "count_tokens": "responses", "models": True}
                | {"rerank": True, "files": True},
                **self.provider_record(),
                **(record or {}),
            }
            settings = {
                # Another gateway in its place would be what is checked.
                "heavenbase.llm.strict_plugins": True,
                f"heavenbase.llm.providers.{PROVIDER}": made_up,
                **self.settings(),
            }
            kernel = make_kernel(clock, settings=settings, plugins=self.given_plugins())
            stack.callback(kernel.close)
            try:
                self.loaded(kernel).check()
            except ImportError as error:
                pytest.skip(f"the gateway cannot be used here: {error}")
            rig = Rig(
                colour,
                kernel,
                clock,
                self.target(kernel),
                server=server,
                wire=wire,
                connect=self.options,
                models=self.models,
            )
            stack.callback(rig.close)
            problem = "" if rig.is_wired else rig.gateway.status().get("problem")
            if problem:
                pytest.skip(f"the gateway cannot be used here: {problem}")
            yield rig

    def target(self, kernel: Kernel) -> dict[str, Any]:
        """The names for LLM."""
        provider, model = self.provider, self.model
        if not provider and not self.spoken():
            provider = self.own_provider(kernel)
        if not model:
            claims = kernel.registry.inventory.claims("providers", provider)
            models = (claims[0].manifest or {}).get("models", {}) if claims else {}
            model = next(iter(models), "hb-conformance")
        return {"model": model, "provider": provider or PROVIDER, "gateway": self.subject()}

    def own_provider(self, kernel: Kernel) -> str:
        """The installed provider that a gateway without a server answers for; "" when there is none."""
        wire = self.own_wire()
        for info in kernel.registry.inventory.plugins:
            record = (info.manifest or {}).get("provider", {})
            if info.kind == "providers" and wire and record.get("wire") == wire == record.get("gateway"):
                return info.name
        return ""

    def dials(self, rig: Rig) -> bool:
        """Whether a gateway without a server would send its requests over a network."""
        for verb in ("complete", "embed", "imagen"):
            with contextlib.suppress(HBError):
                return rig.prepare(verb)[0].url.startswith("http")
        return False

    def own_wire(self) -> str:
        """The wire family that the gateway declares."""
        known = vars(type(self)).get("_own_wire")
        if known is None:
            with self.bare_kernel() as kernel:
                known = str(self.loaded(kernel).wire)
            # Asked for by every check, and the same for all of one class.
            type(self)._own_wire = known
        return str(known)

    def spoken(self) -> str:
        """The wire of the loopback server that the gateway is tested on; "" without one."""
        if self.wire is not None:
            return self.wire
        wire = self.own_wire()
        return wire if wire in LoopbackServer(wires=self.wires()).wires else ""

    def speaks(self) -> Wire:
        """The server's side of the gateway's wire."""
        return LoopbackServer(wires=self.wires()).wires[self.spoken()]

    def speaker(self, rig: Rig) -> Wire:
        """The server's side of the rig's wire."""
        return rig.server.wires[rig.wire]

    def faults(self, rig: Rig, *beginnings: str) -> list[str]:
        """The faults that the rig's wire can show, or those of these names."""
        return [name for name in fault_names(self.speaker(rig).family) if name.startswith(beginnings or "")]

    def no_wire(self) -> str:
        """Why checks on the wire do not apply."""
        return (
            f"gateway {self.subject()!r} speaks {self.own_wire()!r}, which is no wire of the loopback server; "
            "bring one with wires()"
        )

    # Abilities

    def can(self, rig: Rig, ability: str) -> bool:
        """Whether the gateway has an ability: as stated in `capabilities`, else by its methods and its provider."""
        if ability in self.capabilities:
            return self.capabilities[ability]
        if ability in _VERBS and not _brings(type(rig.gateway), ability):
            return False
        if ability in OPERATIONS and method_of(rig.gateway, "files.upload" if ability == "files" else ability) is None:
            return False
        if ability == JOBS:
            return method_of(rig.gateway, f"{JOBS}.submit") is not None
        if ability == BATCHES:
            has = method_of(rig.gateway, f"{BATCHES}.entry") is not None
            return has and rig.llm().spec.capability(BATCHES) is not False
        if ability == "reasoning" and not rig.is_wired:
            return self.script(Reply(reasoning="thought")) is not None
        if ability in OPERATIONS:
            return bool(rig.llm().spec.capability(ability))
        verb = {"embeddings": "embed", "images": "imagen"}.get(ability, "chat")
        return rig.llm_for(verb).spec.capability(ability) is not False

    def lacks(self, ability: str) -> str:
        """Why the gateway has not this ability, or "server": one that a server stands for; "" when it has."""
        if ability == "server":
            return "" if self.spoken() else self.no_wire()
        if self.known().get(ability, True):
            return ""
        return f"gateway {self.subject()!r} declares no {ability}"

    def known(self) -> Mapping[str, bool]:
        """What the gateway can, by ability; "dials": whether it calls where no server stands. Found once a class."""
        known: dict[str, bool] | None = vars(type(self)).get("_known")
        if known is None:
            with contextlib.closing(Sync()) as colour, self.open_rig(colour, calls=False) as rig:
                known = {ability: self.can(rig, ability) for ability in CAPABILITIES}
                known["dials"] = not rig.is_wired and self.dials(rig)
            type(self)._known = known
        return known

    def unscripted(self) -> str:
        """Why the gateway cannot be told what to answer; "" when it can."""
        if self.spoken() or self.script(Reply()) is not None:
            return ""
        return f"gateway {self.subject()!r} answers by itself and cannot be told what to say; see script()"

    def unmet(self, check: Check) -> str:
        """Why a check does not apply here; "" when it does."""
        if "wired" in check.fixtures and not self.spoken():
            return self.no_wire()
        calls = "rig" in check.fixtures or (check.conditions is not None and "plan" not in check.fixtures)
        if calls and self.known()["dials"]:
            return self.no_wire()
        return super().unmet(check)

    def say(self, rig: Rig, **reply: Any) -> dict[str, Any]:
        """Have the next request answered so (fields of `Reply`); the call options that it takes."""
        if rig.is_wired:
            rig.server.reply(**reply)
            return {}
        options = self.script(Reply(**reply))
        assert options is not None, self.unscripted()
        return dict(options)

    def ask_for_another(self, kernel: Kernel, plugin: Any) -> Any:
        """What the gateway answers to a call for another one."""
        from heavenbase.spec import LLMSpec

        spec = LLMSpec(None, "m", "m", PROVIDER, "somebody-else", requested_gateway="somebody-else", base_url=NOWHERE)
        return plugin.complete(kernel.call("complete", spec, {}, is_async=False))


def _brings(kind: type[Gateway], ability: str) -> bool:
    if not issubclass(kind, HTTPGateway):
        return any(getattr(kind, name) is not getattr(Gateway, name) for name in _VERBS[ability])
    names = (*_VERBS[ability], _PARTS[ability])
    return any(getattr(kind, name) is not getattr(HTTPGateway, name) for name in names)
