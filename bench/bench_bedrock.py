"""Bedrock: hb against bare boto3, by turns in one run: `python -m bench.bench_bedrock`.

First calls are whole processes; the cost of a call is CPU time of this process, with the server in another one. Exit 1
when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from bench.measure import Result, process_times, python, ratio

MODEL = "amazon.nova-lite-v1:0"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIABENCH00000000000",
    "AWS_SECRET_ACCESS_KEY": "bench" * 8,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
WORDS = 300
GOAL = 1.1
"""How many times as much as boto3 hb may cost."""

_FIRST_HB = """
import heavenbase as hb
llm = hb.LLM(model="{model}", base_url="{url}", cache=False)
assert llm.chat("hi").startswith("echo")
"""
_FIRST_RAW = """
import boto3
client = boto3.client("bedrock-runtime", endpoint_url="{url}")
answer = client.converse(modelId="{model}", messages=[{{"role": "user", "content": [{{"text": "hi"}}]}}])
assert answer["output"]["message"]["content"][0]["text"].startswith("echo")
"""


def first_calls(url: str, rounds: int) -> Result:
    """Process start to first answer."""
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEAVENBASE", "HB_", "AWS_"))}
        env = {**kept, **KEYS, "HEAVENBASE_HOME": folder}
        names = {"model": MODEL, "url": url}
        commands = {"hb": python(_FIRST_HB.format(**names)), "boto3": python(_FIRST_RAW.format(**names))}
        times = process_times(commands, rounds, env)
    value = statistics.median(a / b for a, b in zip(times["hb"], times["boto3"], strict=True))
    text = f"{min(times['hb']):.0f} against {min(times['boto3']):.0f} ms"
    return Result("first Bedrock call", value, GOAL, "x", text)


def calls(url: str, rounds: int, count: int) -> list[Result]:
    """Chats and streams, each colour against what boto3's users write."""
    import boto3  # type: ignore[import-untyped]

    import heavenbase as hb

    llm = hb.LLM(model=MODEL, base_url=url, cache=False)
    client: Any = boto3.client("bedrock-runtime", endpoint_url=url)
    request = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    long = " ".join(["word"] * WORDS)
    long_request = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": long}]}]}

    def chats() -> None:
        for _ in range(count):
            llm.chat("hi")

    def raw_chats() -> None:
        for _ in range(count):
            client.converse(**request)["output"]["message"]["content"][0]["text"]

    async def achats() -> None:
        for _ in range(count):
            await llm.achat("hi")

    async def raw_achats() -> None:
        for _ in range(count):
            await asyncio.to_thread(client.converse, **request)

    def streams() -> None:
        for _ in range(count // 10):
            for _text in llm.stream(long):
                pass

    def raw_streams() -> None:
        for _ in range(count // 10):
            for event in client.converse_stream(**long_request)["stream"]:
                event.get("contentBlockDelta")

    found = [ratio("a chat, against boto3", chats, raw_chats, GOAL, rounds=rounds, per=count)]
    with asyncio.Runner() as runner:
        works = (lambda: runner.run(achats()), lambda: runner.run(raw_achats()))
        found.append(ratio("an async chat, against boto3 in a thread", *works, GOAL, rounds=rounds, per=count))
        runner.run(llm.kernel.clients.aclose())
    name = f"a stream of {WORDS} pieces, against boto3"
    found.append(ratio(name, streams, raw_streams, GOAL, rounds=rounds, per=count // 10))
    return found


def main() -> int:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.bench_bedrock", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--calls", type=int, default=100, help="calls of one round")
    options = parser.parse_args()
    os.environ.update(KEYS)
    server = [sys.executable, "-m", "hb_testing.server", "--wire", "bedrock"]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        results = [first_calls(url, options.rounds), *calls(url, options.rounds, options.calls)]
        process.communicate()
    for result in results:
        print(result.line())
    return 1 if any(result.verdict not in ("ok", "-") for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
