"""What the checks of providers share: the hooks for authors, the manifest, and rigs in place of the endpoint."""

from __future__ import annotations

import contextlib
import tomllib
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hb_testing.conformance.checks_plugin import PluginChecks
from hb_testing.conformance.needs import only_if
from hb_testing.conformance.rig import KEY, PATIENCE, Clock, Rig, environment, make_kernel
from hb_testing.server import LoopbackServer, Wire
from heavenbase.discovery.manifest import manifest_path, manifest_text
from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from hb_testing.conformance.colours import Colour
    from hb_testing.conformance.needs import Check, Function
    from heavenbase.kernel import Kernel
    from heavenbase.spec import LLMSpec

UNHEARD_OF = "hb-conformance"
ELSEWHERE = "https://conformance.invalid/v1"


def recorded(field: str) -> Callable[[Function], Function]:
    """Have a check apply only where the table [provider] has this field."""
    return only_if(lambda contract, _: "" if contract.record.get(field) else f"its manifest has no {field}")


class ProviderBase(PluginChecks):
    """The hooks of a provider's contract; override what differs."""

    kind = "providers"
    named_by = "provider"

    provider: ClassVar[str] = ""
    """The provider's name."""
    model: ClassVar[str] = ""
    """The model to call; "": a made-up one, or the first of its models when it refuses those."""
    models: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The models that embed and imagen ask, by verb, where it must be another one."""
    wire: ClassVar[str | None] = None
    """The server's wire that stands for the endpoint; None: the one of its name, else of its wire; "": none."""
    surroundings: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Further variables of every kernel that sends."""

    def wires(self) -> Iterable[Wire]:
        """Wires to add to the loopback server."""
        return ()

    # The manifest

    @cached_property
    def manifest_file(self) -> Path:
        """Where the manifest lies."""
        plugin, info = self.plugin(), self.installed()
        if isinstance(plugin, Provider):
            path = manifest_path(plugin.package, plugin.manifest)
        else:
            assert info is not None, f"no provider {self.subject()!r} is installed"
            names = (f"{self.subject()}.toml", "provider.toml")
            path = next((found for name in names if (found := manifest_path(info.package, name))), None)
        assert path is not None, "the package has no provider.toml beside its __init__.py"
        return path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The tables of the manifest."""
        return _read(self.manifest_file)

    @property
    def record(self) -> dict[str, Any]:
        """The table [provider]."""
        found: dict[str, Any] = self.manifest.get("provider", {})
        return found

    @property
    def key_variables(self) -> list[str]:
        """The variables that may hold the credential."""
        return list(self.record.get("api_key_env", ()))

    def by_gateway(self, field: str) -> Any:
        """A field that may be a table by gateway: the entry of the default gateway."""
        found = self.record.get(field)
        return found.get(self.record["gateway"], found.get("default")) if isinstance(found, dict) else found

    # Names

    def model_for(self, kernel: Kernel) -> str:
        """The model that checks call."""
        if self.model or self.record.get("allow_unknown_models"):
            return self.model or UNHEARD_OF
        models = kernel.resolver.catalog.models.items()
        found = next((name for name, record in models if self.subject() in record.get("providers", {})), None)
        assert found is not None, "it refuses unknown models and no catalogue lists one of its own; set model"
        return found

    def resolve(self, kernel: Kernel, **names: Any) -> LLMSpec:
        """The spec for these names, with what the provider always demands."""
        options = {"base_url": ELSEWHERE} if self.record.get("require_base_url") else {}
        return kernel.resolve(**names, **options)

    # Rigs

    @pytest.fixture
    def rig(self, colour: Colour) -> Iterator[Rig]:
        """A kernel whose environment holds the credential, and a loopback server in place of the endpoint."""
        with self.open_rig(colour) as rig:
            yield rig

    @contextlib.contextmanager
    def open_rig(self, colour: Colour, *, variables: Mapping[str, str] | None = None) -> Iterator[Rig]:
        """A rig; `variables` are the environment, by default the credential in its first variable."""
        wire = self.spoken()
        assert wire, self.unreachable()
        if variables is None:
            variables = dict.fromkeys(self.key_variables[:1], KEY)
        with contextlib.ExitStack() as stack:
            # Which extra fields an endpoint takes is its own affair, so the server does not judge the requests.
            server = stack.enter_context(LoopbackServer(wires=self.wires(), strict=False, patience=PATIENCE))
            address = self.by_gateway("base_url_env")
            moved = {address: server.url(wire)} if address else {}
            clock = Clock()
            variables = environment(**{**self.surroundings, **moved, **variables})
            kernel = make_kernel(clock, settings=self.settings(), environ=variables, plugins=self.given_plugins())
            gateway = str(self.record.get("gateway", ""))
            if not kernel.registry.has("gateways", gateway):
                kernel.close()
                pytest.skip(f"its gateway is not installed: pip install hb-gateway-{gateway}")
            target = {"model": self.model_for(kernel), "provider": self.subject()}
            connect = {} if address else {"base_url": server.url(wire)}
            rig = Rig(
                colour,
                kernel,
                clock,
                target,
                server=server,
                wire=wire,
                connect=lambda url: connect,
                models=self.models,
            )
            stack.callback(rig.close)
            yield rig

    def spoken(self) -> str:
        """The wire that stands for the endpoint; "" without one."""
        if self.wire is not None:
            return self.wire
        known = LoopbackServer(wires=self.wires()).wires
        return next((name for name in (self.subject(), str(self.record.get("wire"))) if name in known), "")

    def unreachable(self) -> str:
        """Why no server can stand for its endpoint; "" when one can."""
        wanted = self.record.get("wire")
        return "" if self.spoken() else f"its wire {wanted!r} is none of the loopback server; bring one with wires()"

    def unmet(self, check: Check) -> str:
        """Why a check does not apply here; "" when it does."""
        return ("rig" in check.fixtures and self.unreachable()) or super().unmet(check)

    def ask_for_another(self, kernel: Kernel, plugin: Any) -> Any:
        """What the provider answers when another one is asked for."""
        return plugin.resolve("somebody-else", "openai", UNHEARD_OF)


@lru_cache(maxsize=32)
def _read(file: Path) -> dict[str, Any]:
    return tomllib.loads(manifest_text(file))
