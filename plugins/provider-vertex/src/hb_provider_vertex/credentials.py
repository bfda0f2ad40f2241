"""Who calls: tokens of google-auth, from a file of credentials, from an object, or found on this machine."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

from hb_provider_vertex.place import option
from heavenbase.errors import AuthError, ConnectError, HBError, InputTypeError, MissingCredential, MissingPackage
from heavenbase.http import authorities, proxy_to

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heavenbase.call import Services
    from heavenbase.spec import LLMSpec

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
TIMEOUT = 30.0
"""Seconds that the server of tokens may take."""


class Source:
    """Fresh tokens of one identity.

    `route` says with which proxies and authorities the server of tokens is asked; None means those of the process.
    """

    def __init__(self, credentials: Any, route: Callable[[str], dict[str, Any]] | None = None) -> None:
        self._credentials, self._route = credentials, route
        self._lock = threading.Lock()

    @property
    def is_fresh(self) -> bool:
        """Whether a token is at hand that needs no request."""
        return bool(self._credentials.valid) and not getattr(self._credentials, "expired", False)

    @property
    def credentials(self) -> Any:
        """The object of google-auth, for exported clients."""
        return self._credentials

    def headers(self) -> dict[str, str]:
        """The headers that show who calls; they may take a request to the server of tokens."""
        if not self.is_fresh:
            with self._lock:
                if not self.is_fresh:
                    self._refresh()
        found = {"Authorization": f"Bearer {self._credentials.token}"}
        quota = getattr(self._credentials, "quota_project_id", None)
        return {**found, "x-goog-user-project": str(quota)} if quota else found

    def _refresh(self) -> None:
        from google.auth import exceptions
        from google.auth.transport.requests import Request

        failure: HBError
        try:
            self._credentials.refresh(_Limited(Request, self._route))
            return
        except exceptions.TransportError as error:
            failure = ConnectError(f"no token for Vertex AI: {type(error).__name__}", provider="vertex")
        except exceptions.GoogleAuthError as error:
            # The words of the library tell what to do; a token is not among them.
            said = str(error.args[0] if error.args else error)[:300]
            failure = AuthError(f"no token for Vertex AI ({type(error).__name__}): {said}", provider="vertex")
        # Raised out here, so that the library's error is not attached: it may hold the request.
        raise failure


class _Limited:
    """google-auth's way to the network, which waits no longer than `TIMEOUT`."""

    def __init__(self, request: Any, route: Callable[[str], dict[str, Any]] | None) -> None:
        import requests

        self._session, self._route = requests.Session(), route
        # Else requests adds proxies, authorities and the passwords of ~/.netrc by itself.
        self._session.trust_env = route is None
        self._request = request(self._session)

    def __call__(self, url: str, *given: Any, **named: Any) -> Any:
        named["timeout"] = min(named.get("timeout") or TIMEOUT, TIMEOUT)
        if self._route is not None:
            named |= self._route(url)
        return self._request(url, *given, **named)


def source_of(spec: LLMSpec, args: Mapping[str, Any], services: Services) -> Source:
    """The identity of a call, one for all that name the same; MissingCredential says what there is to choose from."""
    given = args.get("credentials") or option(spec, "credentials")
    if given is not None and hasattr(given, "refresh"):
        key = f"hb_provider_vertex:object:{id(given)}"
    elif given is None or isinstance(given, str | os.PathLike):
        given = os.fspath(given) if given is not None else None
        key = f"hb_provider_vertex:file:{given}:{services.environ.get('GOOGLE_APPLICATION_CREDENTIALS')}"
    else:
        raise InputTypeError(
            f"credentials is the path of a file, or an object of google-auth, not {type(given).__name__}"
        )
    found: Source = services.client(key, lambda: _found(spec, given, services), False)
    return found


def _found(spec: LLMSpec, given: Any, services: Services) -> Source:
    try:
        import google.auth
        from google.auth import exceptions
    except ImportError as error:
        raise MissingPackage("Vertex AI needs google-auth: pip install 'google-auth[requests]'") from error
    route = _route(spec, services) if services.environ.is_embedded else None
    if given is not None and not isinstance(given, str):
        return Source(given, route)
    told = "pass credentials= or set GOOGLE_APPLICATION_CREDENTIALS to a file, or pass api_key= or set VERTEX_API_KEY"
    refused = None
    if given is None and option(spec, "adc") not in (True, "true"):
        refused = f"provider 'vertex' may look for no credentials of this machine: {told}"
    elif given is None and route is not None:
        refused = (
            "provider 'vertex' has no credentials, and an embedded kernel looks for none on this machine: "
            f"{told}, or let it look: Kernel(config, environ=os.environ)"
        )
    if refused:
        raise MissingCredential(refused, provider=spec.provider)
    try:
        return Source(_of_file(given) if given is not None else google.auth.default(scopes=SCOPES)[0], route)
    except (exceptions.GoogleAuthError, OSError, ValueError) as error:
        said = str(error.args[0] if error.args else error).partition(". ")[0][:200]
        raise MissingCredential(
            f"provider 'vertex' found no credentials ({said}): gcloud auth application-default login, or {told}",
            provider=spec.provider,
        ) from None


def _route(spec: LLMSpec, services: Services) -> Callable[[str], dict[str, Any]]:
    """How an embedded kernel reaches the server of tokens: over the proxy and authorities that it was given."""

    def chosen(url: str) -> dict[str, Any]:
        proxy = proxy_to(url, spec, services)
        return {"proxies": {"all": proxy} if proxy else {}, "verify": authorities(spec, services) or True}

    return chosen


def _of_file(path: str) -> Any:
    """The credentials in a file of a service account, or of a user; ValueError for another kind."""
    from google.oauth2 import credentials, service_account

    with open(path, encoding="utf-8") as file:
        info = json.load(file)
    kind = info.get("type") if isinstance(info, dict) else None
    if kind == "service_account":
        return service_account.Credentials.from_service_account_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]
    if kind == "authorized_user":
        return credentials.Credentials.from_authorized_user_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]
    raise ValueError("the file is of neither a service account nor a user; pass an object of google-auth")
