"""What a client of Azure shows: a key, a token of Entra, or a function that gives fresh ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from heavenbase.errors import AuthError, HBError, InputTypeError, MissingCredential
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from heavenbase.spec import LLMSpec

TokenProvider: TypeAlias = "Callable[[], str | Awaitable[str]]"
SCOPE = "https://cognitiveservices.azure.com/.default"
TOKEN = "AZURE_OPENAI_AD_TOKEN"


def checked(provider: object) -> TokenProvider:
    """The provider; InputTypeError when it cannot be called."""
    if not callable(provider):
        raise InputTypeError(f"azure_ad_token_provider is a function, not {type(provider).__name__}")
    return provider


def credential(
    spec: LLMSpec, provider: TokenProvider | None, identity: Callable[[], TokenProvider | None], *, is_async: bool
) -> dict[str, Any]:
    """The one credential that a client of the SDK takes, by its parameter.

    A provider that the caller gave, else the key or token of the spec, else azure-identity where that is installed.
    MissingCredential says what there is to choose from.
    """
    if provider is None and spec.api_key is not None and spec.api_key:
        key = Secret.check(spec.api_key, spec.origins.get("api_key", "api_key of provider 'azure'")).reveal()
        return {"azure_ad_token" if _is_token(key) else "api_key": key}
    provider = provider or identity()
    if provider is None:
        raise MissingCredential(
            f"provider 'azure' needs a key: set AZURE_OPENAI_API_KEY (or {TOKEN}), pass api_key= or "
            "azure_ad_token_provider=, or pip install 'hb-provider-azure[entra]' and sign in with az login",
            provider=spec.provider,
        )
    return {"azure_ad_token_provider": _awaitable(provider) if is_async else _plain(provider)}


def default_identity() -> TokenProvider | None:
    """Tokens by azure-identity: environment, managed identity, command line. None where it is not installed."""
    if find_spec("azure") is None or find_spec("azure.identity") is None:
        return None
    from importlib import import_module

    identity = import_module("azure.identity")
    provider: TokenProvider = identity.get_bearer_token_provider(identity.DefaultAzureCredential(), SCOPE)
    return provider


def _is_token(key: str) -> bool:
    """Whether this is a signed token (JWT) and not a key."""
    return key.startswith("eyJ") and key.count(".") == 2


def _plain(provider: TokenProvider) -> Callable[[], str]:
    def token() -> str:
        try:
            found = provider()
        except Exception as error:
            raise _failure(error) from None
        if hasattr(found, "__await__"):
            found.close()  # type: ignore[union-attr]
            raise InputTypeError("this azure_ad_token_provider is async; give sync calls one that is not")
        return _text(found)

    return token


def _awaitable(provider: TokenProvider) -> Callable[[], Awaitable[str]]:
    async def token() -> str:
        from heavenbase.colour import call_in_thread

        try:
            # A provider of the sync kind may ask the network.
            found = await call_in_thread(provider)
            if hasattr(found, "__await__"):
                found = await found
        except Exception as error:
            raise _failure(error) from None
        return _text(found)

    return token


def _text(token: object) -> str:
    return Secret.check(token, "the token of azure_ad_token_provider").reveal()


def _failure(error: Exception) -> HBError:
    if isinstance(error, HBError):
        return error
    # The words of the library tell what to do; a token is not among them.
    return AuthError(f"no token from Entra ({type(error).__name__}): {str(error)[:500]}", provider="azure")
