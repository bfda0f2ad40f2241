"""hb: a microkernel for calling language models. `import heavenbase as hb; hb.LLM("chat").chat("hi")`.

Every name is loaded on first use; importing this module costs next to nothing.
"""

from __future__ import annotations

import sys
from os.path import isfile
from typing import TYPE_CHECKING

# Another project has this import name: installed beside hb, its packages win over modules of hb.
if any(isfile(f"{__path__[0]}/{module}/__init__.py") for module in ("llm", "types", "utils")):
    raise ImportError(
        "the distribution `heavenbase`, which is another project, lies over hb-kernel here; run: "
        "pip uninstall -y heavenbase, and then: pip install --force-reinstall --no-deps hb-kernel hb-core"
    )

from heavenbase._lazy import front

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

    from heavenbase import errors
    from heavenbase.completions import abatch, acompletion, aembed, aparse, batch, completion, embed, parse
    from heavenbase.config import Config
    from heavenbase.details import Audio, Citation, FilterResult, RateLimit, RateLimits, TokenLogprob, Usage
    from heavenbase.errors import HBError
    from heavenbase.functions import default_kernel, set_default_kernel
    from heavenbase.image import LLMImage
    from heavenbase.kernel import Kernel
    from heavenbase.ledger import Cost, Hop
    from heavenbase.llm import LLM
    from heavenbase.middleware import Judge, Middleware, Observer
    from heavenbase.prompts import PromptTemplate
    from heavenbase.routes import Route
    from heavenbase.secrets import Secret
    from heavenbase.session import LLMSession
    from heavenbase.spec import LLMSpec, Timeouts
    from heavenbase.structured import Partial
    from heavenbase.tools import PAUSE, REFUSE, RUN, LLMToolCallRepair, Tool, ToolPause, tool
    from heavenbase.typed import Options
    from heavenbase.types import Choice, Chunk, Completion, Embedding, ImageResult, ToolCall
    from heavenbase.vector import Vector

__version__ = "0.2.0"
# fmt: off
__all__ = [
    "LLM", "PAUSE", "REFUSE", "RUN", "Audio", "Choice", "Chunk", "Citation", "Completion", "Config", "Cost",
    "Embedding", "FilterResult", "HBError", "Hop", "ImageResult", "Judge", "Kernel", "LLMImage", "LLMSession",
    "LLMSpec", "LLMToolCallRepair", "Middleware", "Observer", "Options", "Partial", "PromptTemplate", "RateLimit",
    "RateLimits", "Route", "Secret", "Timeouts", "TokenLogprob", "Tool", "ToolCall", "ToolPause", "Usage", "Vector",
    "__version__", "abatch", "acompletion", "aembed", "aparse", "batch", "completion", "default_kernel", "embed",
    "errors", "parse", "set_default_kernel", "tool",
]
# fmt: on

__getattr__, _ = front(
    __name__,
    {
        "": "errors",
        "config": "Config",
        "errors": "HBError",
        "completions": "abatch acompletion aembed aparse batch completion embed parse",
        "functions": "default_kernel set_default_kernel",
        "image": "LLMImage",
        "kernel": "Kernel",
        "llm": "LLM",
        "ledger": "Cost Hop",
        "middleware": "Judge Middleware Observer",
        "prompts": "PromptTemplate",
        "routes": "Route",
        "secrets": "Secret",
        "session": "LLMSession",
        "spec": "LLMSpec Timeouts",
        "structured": "Partial",
        "tools": "LLMToolCallRepair PAUSE REFUSE RUN Tool ToolPause tool",
        "typed": "Options",
        "details": "Audio Citation FilterResult RateLimit RateLimits TokenLogprob Usage",
        "types": "Choice Chunk Completion Embedding ImageResult ToolCall",
        "vector": "Vector",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Moved:
    """Finds the modules of the first release under their old names; asked last, until `_moved` needs it first."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if not name.startswith("heavenbase."):
            return None
        from heavenbase._moved import find

        return find(name)


sys.meta_path.append(_Moved)
