"""Run the benchmarks and print one line a figure."""

from __future__ import annotations

import argparse
import json
import sys

from bench.against import compare
from bench.batch import batches
from bench.cache import cache_hits
from bench.calls import async_calls, embeddings, streams, sync_calls
from bench.growth import growth
from bench.kernel import kernel_share
from bench.measure import Result, Turns
from bench.memory import memory
from bench.native import native
from bench.own import own_share
from bench.prices import prices
from bench.routes import routes
from bench.startup import startup
from bench.stub import Stub

FIGURES = {
    "startup": startup,
    "kernel": kernel_share,
    "own": own_share,
    "routes": routes,
    "prices": prices,
    "sync": sync_calls,
    "async": async_calls,
    "batch": batches,
    "stream": streams,
    "embeddings": embeddings,
    "memory": memory,
    "cache": cache_hits,
    "native": native,
    "growth": growth,
}


def main() -> int:
    """Exit 1 with --check when any goal is missed by more than twice."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="which ones; all by default")
    parser.add_argument("--quick", action="store_true", help="less work in each round")
    parser.add_argument("--check", action="store_true", help="fail on gross regressions")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--turns", action="store_true", help="wait for a line before each round, and print JSON")
    parser.add_argument("--against", metavar="PYTHON", help="by turns with the environment of another interpreter")
    options = parser.parse_args()
    if options.against:
        passed = ["--rounds", str(options.rounds), *(["--quick"] if options.quick else [])]
        return compare(options.against, options.figures or [*FIGURES], passed)
    Turns.announced = options.turns
    results: list[Result] = []
    with Stub() as stub:
        for name in options.figures or FIGURES:
            rounds = min(7, options.rounds) if options.quick and not options.turns else options.rounds
            for result in FIGURES[name](stub.url, rounds, 0.25 if options.quick else 1):
                told = json.dumps([result.name, *(result.each or (result.value,))]) if options.turns else result.line()
                print(told, flush=True)
                results.append(result)
    gross = [result.name for result in results if result.verdict == "gross"]
    if options.check and gross:
        print(f"missed by more than twice: {', '.join(gross)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
