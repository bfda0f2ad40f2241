"""Whose a call is: the session of boto3 with its whole chain, or one that knows nothing but given variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.config import Environ

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
EMBEDDED: Mapping[str, Any] = {
    "ignore_configured_endpoint_urls": True,
    "signature_version": "v4",
    "proxies": {},
    "user_agent": "hb",  # its own tells of the machine
}
"""Settings of an exported client that keep boto3 from the variables of the process."""
_FILES = ("config_file", "credentials_file")


class Nobody:
    """In place of the chains that look for credentials and tokens on the machine and in the network."""

    def load_credentials(self) -> None:
        """None are found."""

    def load_token(self, **_: Any) -> None:
        """None is found."""


def session_of(sdk: Any, profile: Any, environ: Environ) -> Any:
    """The session for a profile. With other variables than the process's own, it looks at nothing but those."""
    named = str(profile) if profile else None
    key, secret, token = (environ.get(name) for name in KEYS)
    if not environ.is_embedded:
        session = sdk.session(profile=named)
        # boto3 knows the variables of the process alone; those of a .env file count where these name nobody.
        if key and secret and not (named or environ.base.keys() & {*KEYS, *PROFILES}):
            session.set_credentials(key, secret, token)
        return session
    rows = sdk.session.SESSION_VARIABLES.items()
    # Of each variable neither the environment nor the files count.
    bare = {name: (None, None, os.devnull if name in _FILES else default, read) for name, (_, _, default, read) in rows}
    session = sdk.session(profile=named, session_vars=bare)
    for chain in ("credential_provider", "token_provider"):
        session.register_component(chain, Nobody())
    if key and secret:
        session.set_credentials(key, secret, token)
    for kind in ("fips", "dualstack"):
        if environ.get(f"AWS_USE_{kind.upper()}_ENDPOINT", "").lower() == "true":
            session.set_config_variable(f"use_{kind}_endpoint", True)
    return session
