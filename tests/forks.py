"""Runs Python programs in processes forked from one that has the SDKs imported: as in new ones, only sooner.

Nothing of hb is imported before: what a program imports of hb, and what its imports do, is as it is for users.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

SDKS = ("openai", "anthropic", "httpx")
"""What most programs come to import, and what takes most of their time."""
PATIENCE = 300
"""Seconds that a program may take."""


class Forks:
    """The process that has the SDKs, seen from the one that wants programs run."""

    def __init__(self, requests: IO[str], answers: IO[str]) -> None:
        self._requests = requests
        self._answers = answers

    def run(self, program: str, folder: Path, env: dict[str, str], *arguments: str, name: str = "-c") -> Result:
        """Run a program in this folder and this environment, and in no other; `name` is its sys.argv[0]."""
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            argv = [name, *arguments]
            request = {"program": program, "folder": str(folder), "env": env, "argv": argv, "out": [out.name, err.name]}
            self._requests.write(f"{json.dumps(request)}\n")
            self._requests.flush()
            code = int(self._answers.readline())
            return Result(code, *(file.read().decode("utf-8", "replace") for file in (out, err)))


class Result(NamedTuple):
    """Exit code and output of a program."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def started() -> Iterator[Forks]:
    """A process that imports the SDKs and then forks."""
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen([sys.executable, __file__], env=env, **options) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield Forks(server.stdin, server.stdout)
        server.stdin.close()


@contextmanager
def beside() -> Iterator[Forks]:
    """A fork of this process that stays as it is, to fork from."""
    (asked, asking), (answered, answering) = os.pipe(), os.pipe()
    server = os.fork()
    if not server:
        os.close(asking)
        os.close(answered)
        serve(os.fdopen(asked, encoding="utf-8"), os.fdopen(answering, "w", encoding="utf-8"))
        os._exit(0)
    os.close(asked)
    os.close(answering)
    with os.fdopen(asking, "w", encoding="utf-8") as requests, os.fdopen(answered, encoding="utf-8") as answers:
        yield Forks(requests, answers)
    os.waitpid(server, 0)


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Fork a process for each line; write its exit code."""
    for line in iter(requests.readline, ""):
        child = os.fork()
        if not child:
            become(json.loads(line))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def become(request: dict[str, Any]) -> NoReturn:
    """Be the process that runs the program of a request, which finds the forks for programs of its own in `_forks`."""
    signal.alarm(PATIENCE)
    sources = [os.open(os.devnull, os.O_RDONLY), *(os.open(path, os.O_WRONLY) for path in request["out"])]
    for place, descriptor in enumerate(sources):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    sys.path[:1] = ["", *filter(None, request["env"].get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = request["argv"]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    code = 1
    try:
        with beside() as vars(main)["_forks"]:
            exec(compile(request["program"], "<string>", "exec"), vars(main))  # noqa: S102
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        # As the interpreter does when it ends.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for _name in SDKS:
        with suppress(ImportError):
            import_module(_name)
    assert "heavenbase" not in sys.modules
    gc.collect()
    gc.freeze()
    serve(sys.stdin, sys.stdout)
