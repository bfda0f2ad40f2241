"""What a file of roles holds, and what a role comes to. Nothing in them changes after they are made."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from heavenbase.errors import InputTypeError

Mode: TypeAlias = Literal["chat", "embedding", "image", "audio", "tool", "other"]
"""What a role is for; see `hb_roles.hub` for the calls that each takes."""
Text: TypeAlias = Annotated[str, Field(min_length=1)]


def _filled(value: Any) -> Any:
    """A table that is named and left empty, as YAML has it (`params:`), is an empty table."""
    return {} if value is None else value


class _Part(BaseModel):
    # No input in errors: it may be a key that was put into the wrong place.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


Params: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_filled)]


class ProviderConfig(_Part):
    """How a provider is reached.

    Attributes:
        env_key: The environment variable that holds the key; None for the provider's own variable.
        base_url: The address of the endpoint; None for the provider's own.
        api_key: The key itself, best as `${env:NAME}`; in place of `env_key`.
    """

    env_key: Text | None = None
    base_url: Text | None = None
    api_key: SecretStr | None = None

    def __getstate__(self) -> dict[Any, Any]:
        """Refuses a pickle, which would hold the key in clear; copies are made without this."""
        if self.api_key is not None:
            raise InputTypeError(
                "a provider with an api_key is never pickled; load the file again there, or use env_key"
            )
        return super().__getstate__()


class RoleConfig(_Part):
    """What stands behind a role.

    Attributes:
        provider: A name under `providers`.
        model: The model, as the provider calls it.
        mode: What the role is for.
        params: Arguments of every call of the role.
    """

    provider: Text
    model: Text
    mode: Mode
    params: Params = Field(default_factory=dict)


class RuntimeConfig(_Part):
    """A file of roles.

    Attributes:
        project: The project's name.
        env: The name of the environment that the file is for, such as `dev`.
        providers: The providers by name.
        roles: The roles by name.
        defaults: What stands behind a role that `roles` does not have; None refuses such.
    """

    project: Text
    env: Text
    providers: dict[str, Annotated[ProviderConfig, BeforeValidator(_filled)]]
    roles: dict[str, RoleConfig]
    defaults: RoleConfig | None = None


class ResolvedCall(_Part):
    """What a role comes to in one call: `params` are the role's with the call's own over them.

    `uses_defaults` is True where no role has the name and `defaults` stand in.
    """

    role: str
    provider: str
    model: str
    mode: Mode
    params: dict[str, Any] = Field(default_factory=dict, repr=False)
    uses_defaults: bool = False
