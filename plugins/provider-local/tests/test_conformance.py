"""Provider and gateway keep the contracts of their kinds, as far as those without a wire can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hb_provider_local.pool import lease, release
from hb_provider_local.settings import Settings
from hb_testing import GatewayContract, ProviderContract

OPTIONS = {"context": 512}


class TestLocalProvider(ProviderContract):
    provider: ClassVar[str] = "local"


class TestLocalGateway(GatewayContract):
    gateway: ClassVar[str] = "local"
    path: ClassVar[Path] = Path("model.gguf")
    """The model, once a check runs; which checks apply is asked before."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def model_at_hand(cls, model_path: Path) -> Iterator[None]:
        """Loaded once: every kernel of the checks leases the same engine."""
        cls.path = model_path
        engine = lease(model_path, Settings.from_options(OPTIONS))
        yield
        release(engine)

    def settings(self) -> Mapping[str, Any]:
        return {
            "heavenbase.local.model": str(self.path),
            "heavenbase.llm.gateways.local.options": OPTIONS,
            "heavenbase.llm.models.smollm2-135m-instruct.default_args.max_tokens": 8,
        }
