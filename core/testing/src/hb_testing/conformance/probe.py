"""What importing a plugin's package loads and does, seen from a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

_LIMIT = 60.0

_SCRIPT = """
import importlib, io, json, sys, threading
import heavenbase.call, heavenbase.errors, heavenbase.http.payload, heavenbase.plugin, heavenbase.types
package, target = sys.argv[1:]
before, events, printed = set(sys.modules), [], io.StringIO()
watched = ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.system")
sys.addaudithook(lambda event, arguments: events.append(event) if event in watched else None)
sys.stdout = sys.stderr = printed
importlib.import_module(package)
loaded = sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))
threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
found = {"loaded": loaded, "events": events, "printed": printed.getvalue(), "threads": threads}
open(target, "w", encoding="utf-8").write(json.dumps(found))
"""


@dataclass(frozen=True)
class Imported:
    """`loaded` are the new top-level modules outside the standard library; `failure` what the import raised, or ""."""

    loaded: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    printed: str = ""
    failure: str = ""


def imported(package: str) -> Imported:
    """What `import package` did; asked once per package and search path."""
    return _probe(package, os.pathsep.join(path or os.getcwd() for path in sys.path))


@lru_cache(maxsize=64)
def _probe(package: str, search_path: str) -> Imported:
    with TemporaryDirectory() as folder:
        target = Path(folder) / "found.json"
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, package, str(target)],
            env={**os.environ, "PYTHONPATH": search_path},
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode or not target.exists():
            return Imported(failure=done.stderr.strip() or f"exit status {done.returncode}")
        found = json.loads(target.read_text(encoding="utf-8"))
    return Imported(
        loaded=tuple(found["loaded"]),
        events=tuple(found["events"]),
        threads=tuple(found["threads"]),
        printed=found["printed"],
    )
