"""What goes wrong with roles. All of it, and what providers answer, is under one class.

LLMHubRuntimeError            HBError by another name: errors of providers, of the network and of input are below it
├── ConfigError               the file of roles is wrong; says where
│   └── UnknownProviderError  a role names a provider that the file does not define
├── UnknownRoleError          a call names a role that the file does not have
└── EnvVarMissingError        a variable that holds a key is not set, or is empty
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from heavenbase.errors import ConfigError as SettingsError
from heavenbase.errors import HBError, MissingCredential, UnknownNameError

LLMHubRuntimeError: TypeAlias = HBError
"""The base of every error of this package and of hb, so that one `except` catches what a call by role may raise."""


class Problem(NamedTuple):
    """One thing that is wrong: the path of keys to it, why, and its line in the file (from 1) where there is a file."""

    path: str
    message: str
    line: int | None = None
    is_provider: bool = False
    """Whether it is that a provider is not defined."""


class ConfigError(SettingsError):
    """The configuration of roles is wrong.

    `problems` are all that were found; `path` and `line` are those of the first, `file` is the file they are in.
    """

    def __init__(
        self, message: str = "", *, problems: Iterable[Problem] = (), file: str | None = None, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.problems = tuple(problems)
        self.file = file

    @property
    def path(self) -> str | None:
        """The path of keys to the first problem, such as `roles.llm.inference.mode`."""
        return self.problems[0].path if self.problems else None

    @property
    def line(self) -> int | None:
        """The line of the first problem."""
        return self.problems[0].line if self.problems else None


class UnknownProviderError(ConfigError):
    """A role names a provider that `providers` does not define; `available` are those that it does."""

    def __init__(self, message: str = "", *, available: Iterable[str] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.available = tuple(available)


class UnknownRoleError(UnknownNameError):
    """No role has the asked name, `role`; `available` are those that there are."""

    def __init__(self, role: object, available: Iterable[str] = (), *, hint: str = "", **fields: Any) -> None:
        super().__init__("role", role, available, hint=hint, **fields)

    @property
    def role(self) -> str:
        """The name that was asked for."""
        return self.name

    @property
    def available(self) -> tuple[str, ...]:
        """The roles that there are."""
        return self.choices


class EnvVarMissingError(MissingCredential):
    """Environment variables that the configuration reads are not set, or are empty; `variables` names them."""

    def __init__(self, message: str = "", *, variables: Iterable[str] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.variables = tuple(variables)
