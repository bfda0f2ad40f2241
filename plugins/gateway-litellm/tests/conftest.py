"""Tests of the SDK itself need it; `nox -s litellm` has it, in an environment of its own."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

from hb_gateway_litellm.sdk import surroundings

collect_ignore_glob = [] if find_spec("litellm") is not None else ["test_sdk_*.py"]


@pytest.fixture(autouse=True)
def bare_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels of the tests are embedded, and LiteLLM reads the process: it holds nothing that they may not see."""
    while found := surroundings("", {}, os.environ):
        monkeypatch.delenv(found)
