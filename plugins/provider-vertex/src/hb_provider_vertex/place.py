"""Where requests go: project and location, as the call or the provider's options name them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.errors import ConfigError, InputError, InputTypeError
from heavenbase.http import configured_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec

VERSION = "v1"
GLOBAL = "global"
MULTI_REGIONS = ("us", "eu")
_NAME = re.compile(r"[a-z0-9][a-z0-9.:-]*")
_VERSION = re.compile(r"/v\d+[a-z0-9]*$")


class Place(NamedTuple):
    """A project at a location; without a project ("" ) it is that of an API key."""

    project: str
    location: str


def option(spec: LLMSpec, name: str) -> Any:
    """An option of the provider; None where it is not set."""
    return (spec.provider_record.get("options") or {}).get(name) or None


def place_of(spec: LLMSpec, args: Mapping[str, Any]) -> Place:
    """The place of a call; ConfigError without a project, unless an API key brings its own."""
    given = args.get("project")
    if is_key(spec):
        # A key has a project of its own: that of the environment is for those without one.
        found = given
    else:
        found = given or option(spec, "project")
        if not found:
            raise ConfigError(
                'Vertex AI needs the project: set GOOGLE_CLOUD_PROJECT, or pass project="my-project" to hb.LLM()',
                provider=spec.provider,
            )
    location = args.get("location") or option(spec, "location") or GLOBAL
    for name, value in (("project", found), ("location", location)):
        if value is not None and not isinstance(value, str):
            raise InputTypeError(f"{name} is a str, not {type(value).__name__}")
        if value and not _NAME.fullmatch(value):
            raise InputError(f"{name} is no name of Google Cloud: {value!r}")
    return Place(found or "", location)


def is_key(spec: LLMSpec) -> bool:
    """Whether the credential of a spec is an API key, and no token."""
    return bool(spec.api_key) and not is_token(spec)


def is_token(spec: LLMSpec) -> bool:
    """Whether the credential was given as a bearer token."""
    return bool(spec.api_key) and "auth_token" in spec.explicit and "api_key" not in spec.explicit


def host_of(location: str) -> str:
    """The ordinary address of a location."""
    if location == GLOBAL:
        return "https://aiplatform.googleapis.com"
    if location in MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def root_of(spec: LLMSpec, place: Place) -> str:
    """Address and version of the API: those that are configured, or those of the location; a key's is global."""
    root = configured_url(spec) if spec.base_url else host_of(place.location if place.project else GLOBAL)
    return root if _VERSION.search(root) else f"{root}/{VERSION}"


def model_path(model_id: str, place: Place) -> str:
    """The path of a model: of Google's unless it names another publisher, or says itself where the model lies."""
    if model_id.startswith("projects/"):
        return model_id
    if "/" not in model_id:
        path = f"publishers/google/models/{model_id}"
    elif model_id.startswith(("publishers/", "endpoints/")):
        path = model_id
    elif model_id.startswith("models/"):
        path = f"publishers/google/{model_id}"
    else:
        publisher, _, name = model_id.partition("/")
        path = f"publishers/{publisher}/models/{name}"
    return f"projects/{place.project}/locations/{place.location}/{path}" if place.project else path
