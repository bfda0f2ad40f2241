"""Checks of every kind of plugin: its import is cheap and silent, it registers, it minds its own name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.contract import Contract, singular
from hb_testing.conformance.needs import only_if
from hb_testing.conformance.probe import Imported, imported
from hb_testing.conformance.rig import KEY, environment
from hb_testing.conformance.sandbox import no_network
from heavenbase.hookspecs import CONTRACT_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heavenbase.kernel import Kernel

INSTALLED = only_if(
    lambda contract, _: (
        "the plugin is given in code" if contract.plugin() is not None or not contract.installed() else ""
    )
)


class PluginChecks(Contract):
    """What plugins of every kind have in common."""

    @pytest.fixture
    def kernel(self) -> Iterator[Kernel]:
        """A kernel that knows the plugin and sends nothing."""
        with self.bare_kernel() as kernel:
            yield kernel

    @pytest.fixture
    def import_effects(self) -> Imported:
        """What importing the plugin's package does in a fresh interpreter."""
        info = self.installed()
        assert info is not None, "the plugin is given in code"
        found = imported(info.package)
        assert not found.failure, f"import {info.package} fails:\n{found.failure}"
        return found

    def loaded(self, kernel: Kernel) -> Any:
        """The plugin object, loaded by a kernel."""
        return kernel.registry.load(self.kind, self.subject())

    @INSTALLED
    def test_importing_it_loads_no_sdk(self, import_effects: Imported) -> None:
        info = self.installed()
        assert info is not None
        own = {info.package.partition(".")[0], "heavenbase", *self.may_import}
        foreign = [name for name in import_effects.loaded if name not in own and not name.startswith("hb_")]
        assert not foreign, (
            f"import {info.package} loads {', '.join(foreign)}; import them inside the functions that need them, "
            "or name them in may_import"
        )

    @INSTALLED
    def test_importing_it_is_silent(self, import_effects: Imported) -> None:
        assert not import_effects.events, f"the import does {', '.join(import_effects.events)}"
        assert not import_effects.threads, f"the import starts {', '.join(import_effects.threads)}"
        assert not import_effects.printed, f"the import prints {import_effects.printed!r}"

    def test_it_loads_under_its_name(self, kernel: Kernel) -> None:
        plugin = self.loaded(kernel)
        assert (plugin.kind, plugin.name) == (self.kind, self.subject())
        assert isinstance(plugin.contract, int)
        assert 1 <= plugin.contract <= CONTRACT_VERSION

    @INSTALLED
    def test_each_kernel_gets_an_object_of_its_own(self, kernel: Kernel) -> None:
        with self.bare_kernel() as other:
            assert self.loaded(kernel) is not self.loaded(other)

    def test_it_leaves_the_names_of_others_alone(self, kernel: Kernel) -> None:
        """Every hook answers None for another name: an answer would be taken for that plugin's."""
        plugin = self.loaded(kernel)
        answer = self.ask_for_another(kernel, plugin)
        assert answer is None, f"asked as {singular(self.kind)} 'somebody-else', it answered {type(answer).__name__}"

    def ask_for_another(self, kernel: Kernel, plugin: Any) -> Any:
        """What the plugin's hook answers when another name is asked for."""
        raise NotImplementedError

    def test_its_status_is_plain_data_without_secrets_or_network(self, kernel: Kernel) -> None:
        plugin = self.loaded(kernel)
        with no_network() as tried:
            status = plugin.status()
        assert not tried, f"status() does {', '.join(tried)}"
        assert KEY not in json.dumps(dict(status)), "status() shows a credential"

    def test_closing_the_plugin_twice_is_harmless(self) -> None:
        kernel = self.bare_kernel(environ=environment())
        plugin = self.loaded(kernel)
        plugin.close()
        plugin.close()
        kernel.close()
