"""Start-up: import, command line and first answer, as whole processes, with 50 plugins installed."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Result, process_times, python, told
from bench.pace import slowness

PLUGINS = 50


def startup(url: str, rounds: int, scale: float) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _install_plugins(root / "site")
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HEAVENBASE", "HB_"))},
            "HEAVENBASE_HOME": str(root / "home"),
            "PYTHONPATH": str(root / "site"),
        }
        hb = str(Path(sys.executable).with_name("hb"))
        commands = {
            "bare": python("pass"),
            "import": python("import heavenbase"),
            "help": [hb, "--help"],
            "plugins": [hb, "plugins", "list"],
            "explain": [hb, "explain", "hi", "-p", "mock"],
            "mock": [hb, "llm", "chat", "hi", "-p", "mock"],
            "first": python(_FIRST_HB.format(url=url)),
            "first raw": python(_FIRST_RAW.format(url=url)),
        }
        times = process_times(commands, max(7, rounds), env)
        slow = min(slowness(url)() for _ in range(rounds))
        best = {name: min(values) / slow for name, values in times.items()}
        machine = f"bare python {best['bare']:.0f}; {told(slow)}"
        yield Result("import heavenbase over bare", best["import"] - best["bare"], 25, "ms", machine)
        for name, goal in (("help", 150), ("plugins", 150), ("explain", 150), ("mock", 400)):
            yield Result(f"hb {' '.join(commands[name][1:])}", best[name], goal, "ms", machine)
        pairs = zip(times["first"], times["first raw"], strict=True)
        value = statistics.median(a / b for a, b in pairs)
        text = f"{best['first']:.0f} against {best['first raw']:.0f} ms; {told(slow)}"
        yield Result("process start to first answer", value, 1.0, "x", text)
        yield _import_memory(env)


def _import_memory(env: dict[str, str]) -> Result:
    import subprocess

    def rss(code: str) -> float:
        # Not ru_maxrss, which a process inherits from the one that started it.
        measure = "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
        output = subprocess.run(python(f"{code}; {measure}"), check=True, capture_output=True, env=env, text=True)
        return int(output.stdout) / 1024

    bare = min(rss("pass") for _ in range(3))
    return Result("memory of import heavenbase", min(rss("import heavenbase") for _ in range(3)) - bare, 12, "MiB")


def _install_plugins(site: Path) -> None:
    for number in range(PLUGINS):
        package = site / f"hb_bench_{number}"
        info = site / f"hb_bench_{number}-1.0.dist-info"
        package.mkdir(parents=True)
        info.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('a plugin that nobody named was imported')\n")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hb-bench-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[heavenbase.gateways]\nbench{number} = hb_bench_{number}:Gateway\n")
    shutil.rmtree(site / "__pycache__", ignore_errors=True)


_FIRST_HB = """
import heavenbase as hb
llm = hb.LLM(preset="custom", model="m", base_url="{url}", api_key="k", cache=False)
assert llm.chat("hi").startswith("Hello")
"""
_FIRST_RAW = """
import openai
client = openai.OpenAI(base_url="{url}", api_key="k")
answer = client.chat.completions.create(model="m", messages=[{{"role": "user", "content": "hi"}}])
assert answer.choices[0].message.content.startswith("Hello")
"""
