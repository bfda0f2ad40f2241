"""A program: runs a batch in children that are killed at random moments, until one comes to its end.

python killed.py BASE_URL IN OUT KILLS SEED CONCURRENCY
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import openai  # noqa: F401  # so that each child need not load it

import heavenbase as hb
from hb_batch.folder import Folder
from hb_batch.runs import FileRun, Settings


def child(url: str, source: str, output: str, concurrency: int) -> int:
    """One run: begun, or gone on with."""
    providers = {"acme": {"base_url": url, "api_key": "key-of-acme-0123"}}
    settings = {"heavenbase.llm.providers": providers, "heavenbase.llm.cache.enabled": False}
    with hb.Kernel(settings) as kernel:
        if Folder(output).has_manifest:
            return FileRun(kernel).resume(output).code
        return FileRun(kernel).begin(source, output, Settings(concurrency=concurrency)).code


def size(path: str) -> int:
    """Bytes of a file; 0 without one."""
    return os.path.getsize(path) if os.path.exists(path) else 0


def main() -> int:
    """Kill so many children, then let one end."""
    url, source, output, kills, seed, concurrency = sys.argv[1:]
    chance = random.Random(int(seed))
    for number in range(int(kills) + 1):
        pid = os.fork()
        if not pid:
            os._exit(child(url, source, output, int(concurrency)))
        if number < int(kills):
            wanted = size(output) + chance.randrange(1, 6000)
            while size(output) < wanted and os.waitpid(pid, os.WNOHANG) == (0, 0):
                time.sleep(0.001)
            time.sleep(chance.random() * 0.005)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            if number % 3 == 0:  # a write that did not get to its end
                with open(output, "ab") as file:
                    file.write(b'{"id":"batch_req_torn","custom_id":"r1","status":"succ')
        else:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
