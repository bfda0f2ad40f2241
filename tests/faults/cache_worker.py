"""A process that asks for many keys through a cache file: python cache_worker.py FILE KEYS ROUNDS SEED.

Says when it is ready, and begins at a line of its input. Prints, as JSON, the most requests that one key cost, and how
many answers were wrong.
"""

from __future__ import annotations

import json
import random
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

import heavenbase as hb
from heavenbase.call import Call, WireRequest
from heavenbase.plugin import Gateway, Provider
from heavenbase.types import Completion


class Own(Gateway):
    """Answers what follows from the question, and counts."""

    name = "own"
    wire = "own"
    vision = ""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def prepare(self, call: Call) -> WireRequest:
        return WireRequest("POST", "local://own", {})

    def chat(self, call: Call, request: WireRequest) -> Completion:
        question = call.messages[-1]["content"]
        self.asked[question] += 1
        return Completion(answer_to(question), finish_reason="stop")


class Place(Provider):
    """Where the gateway answers."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        return {"wire": "own", "allow_unknown_models": True}


def answer_to(question: str) -> str:
    """What is the right answer; 0.1 to 3 kB."""
    return question * (10 + len(question) * 7 % 90)


def main(path: str, keys: str, rounds: str, seed: str) -> None:
    warnings.simplefilter("error")
    own = Own()
    settings = {
        "heavenbase.llm.cache.path": path,
        "heavenbase.llm.cache.options.busy_timeout_ms": 20_000,
    }
    wrong = 0
    with hb.Kernel(settings, plugins=[own, Place(__name__, "place")]) as kernel:
        llm = hb.LLM(model="m", provider="place", gateway="own", kernel=kernel)
        print("ready", flush=True)
        sys.stdin.readline()
        for turn in range(int(rounds)):
            numbers = list(range(int(keys)))
            random.Random(f"{seed}{turn}").shuffle(numbers)
            for number in numbers:
                wrong += llm.chat(f"key {number}") != answer_to(f"key {number}")
    print(json.dumps({"most": max(own.asked.values(), default=0), "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
