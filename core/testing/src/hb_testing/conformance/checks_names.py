"""Checks of a provider's manifest and names: well formed, found without an import, resolved however it is written."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.checks_plugin import INSTALLED
from hb_testing.conformance.needs import only_if
from hb_testing.conformance.provider import UNHEARD_OF, ProviderBase, recorded
from hb_testing.conformance.sandbox import no_network
from heavenbase.discovery.manifest import check_manifest
from heavenbase.errors import HBError, InputError, UnknownModelError

if TYPE_CHECKING:
    from heavenbase.kernel import Kernel


class NameChecks(ProviderBase):
    """From a name to the endpoint; nothing is sent."""

    def test_its_manifest_is_well_formed(self, kernel: Kernel) -> None:
        gateways = {*kernel.registry.names("gateways"), *kernel.registry.inventory.known_gateways}
        wrong = check_manifest(self.manifest, gateways)
        assert not wrong, "\n".join([str(self.manifest_file), *wrong])

    @INSTALLED
    def test_its_manifest_is_found_without_an_import(self) -> None:
        """So that lists, help and prefixes know it at once."""
        info = self.installed()
        assert info is not None
        assert info.manifest == self.manifest
        assert self.record["name"] == self.subject()

    def test_its_record_is_pure(self, kernel: Kernel) -> None:
        plugin = self.loaded(kernel)
        gateway = str(self.record["gateway"])
        with no_network() as tried:
            first = dict(plugin.record(gateway, UNHEARD_OF))
            second = dict(plugin.record(gateway, UNHEARD_OF))
        assert not tried, f"record() does {', '.join(tried)}"
        assert first == second
        assert first["wire"] == self.record["wire"]

    def test_it_resolves_by_name(self, kernel: Kernel) -> None:
        model = self.model_for(kernel)
        for name in (self.subject(), self.subject().upper()):
            spec = self.resolve(kernel, model=model, provider=name)
            assert (spec.provider, spec.requested_gateway) == (self.subject(), self.record["gateway"])

    @recorded("aliases")
    def test_it_resolves_by_alias(self, kernel: Kernel) -> None:
        for alias in self.record["aliases"]:
            found = self.resolve(kernel, model=self.model_for(kernel), provider=alias).provider
            assert found == self.subject(), f"the alias {alias!r} leads to {found!r}"

    @recorded("prefixes")
    def test_it_resolves_by_prefix(self, kernel: Kernel) -> None:
        for prefix in self.record["prefixes"]:
            found = kernel.resolve(model=f"{prefix}{UNHEARD_OF}").provider
            assert found == self.subject(), f"a model that begins with {prefix!r} goes to {found!r}"

    @pytest.mark.parametrize("mark", ["/", ":"])
    def test_it_resolves_as_the_head_of_a_model(self, kernel: Kernel, mark: str) -> None:
        model = self.model_for(kernel)
        asked = f"{self.subject()}{mark}{model}"
        spec = self.resolve(kernel, model=asked)
        assert spec.provider == self.subject()
        own = self.manifest["provider"].get("native_ids", ())
        # Ids of the provider's own may begin with its name; they are sent whole.
        bare = asked if any(fnmatchcase(asked, pattern.removeprefix("@")) for pattern in own) else model
        assert spec.model_id == self.resolve(kernel, model=bare, provider=self.subject()).model_id

    @only_if(lambda contract, _: "" if contract.manifest.get("models") else "its manifest has no models")
    def test_its_models_and_their_aliases_resolve(self, kernel: Kernel) -> None:
        models: dict[str, Any] = self.manifest["models"]
        for name, record in models.items():
            entry = record.get("providers", {}).get(self.subject())
            native = entry["id"] if isinstance(entry, dict) else entry
            if native is None or self.is_placeholder(name):
                continue
            for asked in (name, *record.get("aliases", ())):
                spec = self.resolve(kernel, model=asked, provider=self.subject())
                assert (spec.model, spec.model_id) == (name, native), f"{asked!r} resolves to {spec.model_id!r}"

    @only_if(lambda contract, _: "" if contract.manifest.get("presets") else "its manifest has no presets")
    def test_its_presets_resolve(self, kernel: Kernel) -> None:
        presets: dict[str, Any] = self.manifest["presets"]
        for name, preset in presets.items():
            names = {"model": UNHEARD_OF} if self.is_placeholder(preset["model"]) else {}
            spec = self.resolve(kernel, preset=name, **names)
            assert spec.preset == name
            if preset.get("provider"):
                assert spec.provider == kernel.resolver.catalog.provider(preset["provider"])

    def test_an_unknown_model_is_passed_on_or_refused_as_declared(self, kernel: Kernel) -> None:
        if self.record.get("allow_unknown_models"):
            assert self.resolve(kernel, model=UNHEARD_OF, provider=self.subject()).model_id == UNHEARD_OF
            return
        with pytest.raises(UnknownModelError) as caught:
            self.resolve(kernel, model=UNHEARD_OF, provider=self.subject())
        assert UNHEARD_OF in str(caught.value)

    def test_its_address_is_the_declared_one(self, kernel: Kernel) -> None:
        if self.record.get("require_base_url"):
            with pytest.raises(InputError, match="base_url"):
                kernel.resolve(model=self.model_for(kernel), provider=self.subject())
            return
        declared = self.by_gateway("base_url")
        spec = kernel.resolve(model=self.model_for(kernel), provider=self.subject())
        if declared:
            assert spec.base_url == str(declared).rstrip("/")

    @recorded("require_model_override")
    def test_it_demands_a_model_where_it_says_so(self, kernel: Kernel) -> None:
        with pytest.raises(HBError, match="model"):
            self.resolve(kernel, model=self.record["placeholder_model"], provider=self.subject())

    def is_placeholder(self, model: str) -> bool:
        """Whether this is the model that stands for none."""
        return bool(self.record.get("require_model_override")) and model == self.record.get("placeholder_model")
