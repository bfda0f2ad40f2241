"""What is special about Acme; the contract of all providers is checked by name: see tox.toml."""

from __future__ import annotations

import heavenbase as hb


def test_a_model_is_found_by_its_prefix() -> None:
    spec = hb.LLM(model="acme-large", api_key="key").spec
    assert (spec.provider, spec.model_id) == ("acme", "acme-large")
