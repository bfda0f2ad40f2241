"""The SDK is imported by the first call: neither installing nor resolving pays for it."""

from __future__ import annotations

import subprocess
import sys

from hb_testing.conformance.rig import environment

CODE = """
import sys
import heavenbase as hb
llm = hb.LLM(model="gemini-2.5-flash", provider="gemini", api_key="k")
plugin = llm.kernel.gateway(llm.spec)
call = llm.kernel.call("complete", llm.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
plugin.prepare(call)
print(plugin.name, "google.genai" in sys.modules, "pydantic" in sys.modules, "asyncio" in sys.modules)
plugin.to_client(llm.spec)
print("google.genai" in sys.modules)
"""


def test_the_sdk_is_imported_by_the_first_call() -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == ["gemini", "False", "False", "False", "True"]
