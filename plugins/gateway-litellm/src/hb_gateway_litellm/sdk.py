"""The litellm package: found without an import, imported by the first call, and kept from talking to anybody else."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from heavenbase.errors import MissingPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

TESTED = "1.104.0"
INSTALL = "pip install hb-gateway-litellm[litellm]"
MALICIOUS = frozenset({"1.82.7", "1.82.8", "1.107.0"})
"""Releases that were reported to carry malicious code."""
_QUIET = {
    # No download of prices while it is imported, no .env files, no banners.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "DISABLE_SCHEMA_UPDATE": "True",
}


_READ = ("SSL_", "OPENAI_ORG", "OPENAI_PROJECT", "OPENAI_CUSTOM_HEADERS")
_READ_FOR = {
    "azure": ("AZURE_",),
    "bedrock": ("AWS_",),
    "openrouter": ("OR_",),
    "sagemaker": ("AWS_",),
    "sagemaker_chat": ("AWS_",),
    "vertex_ai": ("GOOGLE_", "VERTEX"),
}
"""Beginnings of the variables that LiteLLM takes beside key and address: for each provider, and for some."""


def surroundings(backend: str, given: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> str:
    """A variable of the process that LiteLLM would take for its own and that is not in `given`; "" for none."""
    beginnings = (*_READ, *_READ_FOR.get(backend, ()))
    for name in sorted(environ):
        upper = name.upper()
        is_proxy = upper.endswith("_PROXY") and upper != "NO_PROXY"
        if (is_proxy or upper.startswith(beginnings)) and given.get(name) != environ[name]:
            return name
    return ""


def check_installed() -> None:
    """MissingPackage when litellm is not there, or is a release that must not run. Imports nothing of it."""
    if find_spec("litellm") is None:
        raise MissingPackage(
            f"the litellm gateway needs the package litellm: {INSTALL} (it takes the openai package's major 2 with it, "
            "which hb works with as well)"
        )
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("litellm")
    except PackageNotFoundError:
        return
    if found in MALICIOUS:
        raise MissingPackage(
            f"litellm {found} is a release that was reported as malicious, so it is not imported: "
            f"pip install litellm=={TESTED}, and change the keys of this machine"
        )


@lru_cache(maxsize=1)
def sdk() -> Any:
    """The litellm module."""
    check_installed()
    before = {name: os.environ.get(name) for name in _QUIET}
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import warnings

        with warnings.catch_warnings():
            # What its modules warn of as they are read is for its authors.
            warnings.simplefilter("ignore")
            litellm: Any = import_module("litellm")
            types = import_module("litellm.types.utils")
            for name in ("ModelResponse", "ModelResponseStream"):
                getattr(types, name)()  # the class is finished by its first use
    except ImportError as error:
        raise MissingPackage(f"litellm cannot be imported ({error}); {INSTALL}") from error
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
    # It prints hints to standard output otherwise.
    litellm.suppress_debug_info = True
    return litellm


def standard_parameters() -> frozenset[str]:
    """The chat parameters that LiteLLM translates; others go to the provider as they are."""
    sdk()
    return frozenset(import_module("litellm.constants").OPENAI_CHAT_COMPLETION_PARAMS)


@lru_cache(maxsize=256)
def supported_parameters(model: str, backend: str) -> frozenset[str] | None:
    """Those that LiteLLM has for a model of a provider; None when it does not know the provider."""
    found = sdk().get_supported_openai_params(model=model, custom_llm_provider=backend)
    return frozenset(found) if found is not None else None
