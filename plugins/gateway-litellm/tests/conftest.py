"""Tests of the SDK itself need it; `nox -s litellm` has it, in an environment of its own."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("litellm") is not None else ["test_sdk_*.py"]
