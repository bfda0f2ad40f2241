"""Distributions made of a few files in a folder, as pip would leave them: for tests of discovery and loading."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

GATEWAY = """
from heavenbase.plugin import Gateway, hookimpl
from heavenbase.types import Completion

class Made(Gateway):
    name = {name!r}
    wire = "openai"
    vision = ""
    {body}

    def prepare(self, call):
        from heavenbase.call import WireRequest
        return WireRequest("POST", "https://x.test", {{}})

    def chat(self, call, request):
        return Completion("from {name}", finish_reason="stop")
"""


def gateway_source(name: str, body: str = "pass", before: str = "") -> str:
    """The source of a module `plugin` that answers chats; `body` goes into the class, `before` runs at import."""
    return f"{before}\n{GATEWAY.format(name=name, body=body)}\nplugin = Made\n"


def install(
    folder: Path,
    distribution: str,
    entry_points: Mapping[str, Mapping[str, str]],
    sources: Mapping[str, str],
    version: str = "1.0",
) -> Path:
    """Lay a distribution into `folder`: its .dist-info with RECORD, and the files of `sources` by path."""
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    files = {
        f"{info.name}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n",
        f"{info.name}/entry_points.txt": "\n".join(
            f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in rows.items())
            for group, rows in entry_points.items()
        ),
        **sources,
    }
    record = []
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(text.encode())}")
    (info / "RECORD").write_text("\n".join([*record, f"{info.name}/RECORD,,"]), encoding="utf-8")
    return info


def install_gateway(
    folder: Path, name: str, *, module: str | None = None, distribution: str | None = None, source: str | None = None
) -> str:
    """Install a gateway plugin; the name of its module, which no other test imports."""
    module = module or f"made_{name}_{hashlib.md5(str(folder).encode(), usedforsecurity=False).hexdigest()[:8]}"
    install(
        folder,
        distribution or f"hb-gateway-{name}",
        {"heavenbase.gateways": {name: f"{module}:plugin"}},
        {f"{module}.py": source if source is not None else gateway_source(name)},
    )
    return module
