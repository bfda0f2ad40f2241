"""hb: a microkernel for calling language models. `import heavenbase as hb; hb.LLM("chat").chat("hi")`.

Every name is loaded on first use; importing this module costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavenbase import errors
    from heavenbase.config import Config
    from heavenbase.errors import HBError
    from heavenbase.functions import default_kernel, set_default_kernel
    from heavenbase.image import LLMImage
    from heavenbase.kernel import Kernel
    from heavenbase.llm import LLM
    from heavenbase.middleware import Middleware
    from heavenbase.repair import LLMToolCallRepair
    from heavenbase.secrets import Secret
    from heavenbase.session import LLMSession
    from heavenbase.spec import LLMSpec, Timeouts
    from heavenbase.structured_partial import Partial
    from heavenbase.tools import PAUSE, REFUSE, RUN, Tool, ToolPause, tool
    from heavenbase.types import Chunk, Completion, Embedding, ImageResult, ToolCall, Usage
    from heavenbase.vector import Vector

_HOME = {
    "LLM": "llm",
    "Chunk": "types",
    "Completion": "types",
    "Config": "config",
    "Embedding": "types",
    "HBError": "errors",
    "ImageResult": "types",
    "Kernel": "kernel",
    "LLMImage": "image",
    "LLMSession": "session",
    "LLMSpec": "spec",
    "LLMToolCallRepair": "repair",
    "Middleware": "middleware",
    "PAUSE": "tools",
    "Partial": "structured_partial",
    "REFUSE": "tools",
    "RUN": "tools",
    "Secret": "secrets",
    "Timeouts": "spec",
    "Tool": "tools",
    "ToolCall": "types",
    "ToolPause": "tools",
    "Usage": "types",
    "Vector": "vector",
    "default_kernel": "functions",
    "errors": "",
    "set_default_kernel": "functions",
    "tool": "tools",
}

__version__ = "0.1.0"
__all__ = [
    "LLM",
    "PAUSE",
    "REFUSE",
    "RUN",
    "Chunk",
    "Completion",
    "Config",
    "Embedding",
    "HBError",
    "ImageResult",
    "Kernel",
    "LLMImage",
    "LLMSession",
    "LLMSpec",
    "LLMToolCallRepair",
    "Middleware",
    "Partial",
    "Secret",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolPause",
    "Usage",
    "Vector",
    "__version__",
    "default_kernel",
    "errors",
    "set_default_kernel",
    "tool",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = import_module(f"{__name__}.{home or name}")
    value = getattr(found, name) if home else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
