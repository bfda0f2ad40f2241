"""Calling language models by role: `LLMHub(config_path="llmhub.yaml").completion(role="llm.inference", messages=...)`.

    models         what a file of roles holds, and what a role comes to
    config_loader  a file, or plain data, as a checked RuntimeConfig
    resolver       a role's name and what a call changes of it, as a ResolvedCall
    settings       the roles as presets and providers of hb
    hub            LLMHub: the calls
    answers        what comes back, in the shape that OpenAI's SDK has
    errors         what goes wrong

Every name is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase.utils import front

if TYPE_CHECKING:
    from hb_roles.answers import ChatCompletion as ChatCompletion
    from hb_roles.answers import ChatCompletionChunk as ChatCompletionChunk
    from hb_roles.answers import EmbeddingResponse as EmbeddingResponse
    from hb_roles.answers import ImagesResponse as ImagesResponse
    from hb_roles.config_loader import load_runtime_config as load_runtime_config
    from hb_roles.config_loader import parse_runtime_config as parse_runtime_config
    from hb_roles.errors import ConfigError as ConfigError
    from hb_roles.errors import EnvVarMissingError as EnvVarMissingError
    from hb_roles.errors import LLMHubRuntimeError as LLMHubRuntimeError
    from hb_roles.errors import UnknownProviderError as UnknownProviderError
    from hb_roles.errors import UnknownRoleError as UnknownRoleError
    from hb_roles.hub import LLMHub as LLMHub
    from hb_roles.models import ProviderConfig as ProviderConfig
    from hb_roles.models import ResolvedCall as ResolvedCall
    from hb_roles.models import RoleConfig as RoleConfig
    from hb_roles.models import RuntimeConfig as RuntimeConfig
    from hb_roles.resolver import resolve_role as resolve_role
    from hb_roles.settings import role_settings as role_settings

__version__ = "0.2.0"
__all__ = [
    "ChatCompletion",
    "ChatCompletionChunk",
    "ConfigError",
    "EmbeddingResponse",
    "EnvVarMissingError",
    "ImagesResponse",
    "LLMHub",
    "LLMHubRuntimeError",
    "ProviderConfig",
    "ResolvedCall",
    "RoleConfig",
    "RuntimeConfig",
    "UnknownProviderError",
    "UnknownRoleError",
    "__version__",
    "load_runtime_config",
    "parse_runtime_config",
    "resolve_role",
    "role_settings",
]

__getattr__, _ = front(
    __name__,
    {
        "answers": "ChatCompletion ChatCompletionChunk EmbeddingResponse ImagesResponse",
        "config_loader": "load_runtime_config parse_runtime_config",
        "errors": "ConfigError EnvVarMissingError LLMHubRuntimeError UnknownProviderError UnknownRoleError",
        "hub": "LLMHub",
        "models": "ProviderConfig ResolvedCall RoleConfig RuntimeConfig",
        "resolver": "resolve_role",
        "settings": "role_settings",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
