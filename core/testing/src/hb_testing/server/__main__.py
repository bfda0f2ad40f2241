"""`python -m hb_testing.server`: the server as a process of its own, for benchmarks and for trying things out.

It prints its base URL and serves until its standard input ends or it is interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import sys

from hb_testing.server.loopback import LoopbackServer


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m hb_testing.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1; 0 takes a free one")
    parser.add_argument("--wire", default="openai", help="whose base URL to print")
    parser.add_argument("--record", action="store_true", help="keep every request in memory")
    parser.add_argument("--lax", action="store_true", help="accept requests that the provider would refuse")
    options = parser.parse_args(arguments)
    with LoopbackServer(port=options.port, record=options.record, strict=not options.lax) as server:
        print(server.url(options.wire), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while sys.stdin.readline():
                pass


if __name__ == "__main__":
    main()
