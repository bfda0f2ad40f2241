"""The contract of a cache backend as a plugin: that of its stores, opened from the settings that core gives."""

from __future__ import annotations

import tempfile
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hb_testing.caches import CacheStoreContract, ManualClock, cache_key
from hb_testing.conformance.checks_plugin import PluginChecks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heavenbase.kernel import Kernel
    from heavenbase.plugin import CacheStore


class CacheContract(PluginChecks, CacheStoreContract):
    """Inherit it in a class named Test…, and set `cache`.

    What is configured under `heavenbase.llm.cache` comes from `settings()`. Whether stores are persistent is found
    out, unless the class says it.
    """

    kind = "caches"
    named_by = "cache"

    cache: ClassVar[str] = ""
    """The backend's name."""

    @pytest.fixture(autouse=True)
    def kernels(self) -> Iterator[list[Kernel]]:
        """The kernels whose plugins opened stores; closed after the check, since that closes the stores."""
        self._kernels: list[Kernel] = []
        yield self._kernels
        for kernel in self._kernels:
            kernel.close()

    @cached_property
    def persistent(self) -> bool:  # type: ignore[override]
        """Whether a store that was closed finds its entries again; a store that does once must do so always."""
        clock = ManualClock()
        with tempfile.TemporaryDirectory() as folder:
            with closing(self.make_store(Path(folder), clock)) as store:
                store.set("text", cache_key("persistent"), b"yes")
            with closing(self.make_store(Path(folder), clock)) as store:
                return store.get("text", cache_key("persistent")) == b"yes"

    def make_store(self, tmp_path: Path, clock: Callable[[], float], **limits: int) -> CacheStore:
        """An open store under the folder, from settings like those of a kernel."""
        kernel = self.bare_kernel()
        self._kernels.append(kernel)
        settings = {
            **kernel.config.section("heavenbase.llm.cache"),
            "backend": self.subject(),
            "data_dir": str(tmp_path),
            "clock": clock,
            "namespaces": {"text": limits},
        }
        store: CacheStore = self.loaded(kernel).open(settings)
        return store

    def ask_for_another(self, kernel: Kernel, plugin: Any) -> Any:
        """What the backend answers when another one is configured."""
        return plugin.cache("somebody-else", {})
