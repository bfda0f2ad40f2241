"""The SDK is imported by the first call: neither installing nor resolving pays for it."""

from __future__ import annotations

import subprocess
import sys

from hb_testing.conformance.rig import environment

CODE = """
import sys
import heavenbase as hb
llm = hb.LLM(model="command-a-03-2025", provider="cohere", api_key="k")
plugin = llm.kernel.gateway(llm.spec)
call = llm.kernel.call("complete", llm.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
plugin.prepare(call)
print(plugin.name, "cohere" in sys.modules, "pydantic" in sys.modules, "asyncio" in sys.modules)
plugin.to_client(llm.spec)
print("cohere" in sys.modules)
"""


def test_the_sdk_is_imported_by_the_first_call() -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == ["cohere", "False", "False", "False", "True"]
