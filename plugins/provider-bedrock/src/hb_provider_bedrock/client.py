"""What boto3 does for a call: whose it is, where it goes, and its signature; hb's own connections carry it.

The session, the chain of credentials, their refreshing and the signature are boto3's. Its client, whose descriptions of
services take long to read, is made for what only it knows: an endpoint that is out of the ordinary, and for export.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.identity import EMBEDDED, session_of
from hb_provider_bedrock.models import region_of
from hb_provider_bedrock.outgoing import Outgoing
from heavenbase.errors import InputError, MissingPackage
from heavenbase.http import given_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Services
    from heavenbase.config import Environ
    from heavenbase.spec import LLMSpec

PLACES = ("aws_region", "aws_profile")
"""Options that choose where a request goes and as whom; they never reach the wire."""
DEFAULT_REGION = "us-east-1"
CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 120.0
"""Seconds, for an exported client; hb's own calls have their own limits."""
_IDENTITY = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
)
_REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]+)+")
_UNUSUAL_REGIONS = ("cn-", "us-iso", "eu-iso", "eusc-")
"""Partitions whose hosts have another ending."""

_SIGNING: ContextVar[bool] = ContextVar("hb_bedrock_signing", default=False)


class SDK:
    """The parts of boto3 that hb uses. Imported by the first call; boto3's own module adds resources to them alone."""

    def __init__(self) -> None:
        try:
            core, config, session, request, auth, credentials, errors = (
                import_module(f"botocore{name}")
                for name in ("", ".config", ".session", ".awsrequest", ".auth", ".credentials", ".exceptions")
            )
        except ImportError as error:
            raise MissingPackage("the bedrock gateway needs botocore: pip install 'botocore>=1.40'") from error
        self.session: Any = session.Session
        self.config: Any = config.Config
        self.request: Any = request.AWSRequest
        self.signature: Any = auth.SigV4Auth
        self.credentials: Any = credentials.Credentials
        self.exceptions: Any = errors
        self.unsigned: Any = core.UNSIGNED
        self.user_agent = f"hb Botocore/{core.__version__}"
        logging.getLogger("botocore.auth").addFilter(_is_foreign)


def _is_foreign(record: logging.LogRecord) -> bool:
    """Whether a line of boto3's log about signatures, which shows session tokens, is about another's request."""
    return not _SIGNING.get()


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """boto3, imported at the first call."""
    return SDK()


class Client:
    """Address and signature of the requests of one key at one place. `key` is a bearer token, or None to sign."""

    def __init__(self, session: Any, endpoint: str, place: str, key: str | None, *, is_embedded: bool) -> None:
        self._session = session
        self._is_embedded = is_embedded
        self._endpoint = endpoint
        self._place = place
        self._key = key
        self._boto: Any = None
        self.may_wait = key is None
        """Whether signing may find or refresh credentials, over the network or by a program."""

    def sign(self, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Outgoing:
        """A request to a path below the endpoint, signed. Raises what boto3 raises.

        What is only asked for (GET) is the control plane's to tell, at the endpoint beside.
        """
        place = self._endpoint if method == "POST" else self._endpoint.replace("bedrock-runtime", "bedrock", 1)
        url = f"{place}{path}"
        # In lower case, so that a header given by the caller takes the place of ours.
        named = {"user-agent": sdk().user_agent, **{name.lower(): value for name, value in headers.items()}}
        if self._key is not None:
            named["authorization"] = f"Bearer {self._key}"
        else:
            named = self._signed(method, url, body, named)
        named["content-length"] = str(len(body))
        return Outgoing(method, url, list(named.items()), body)

    def _signed(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        """The headers with the signature over them and the body."""
        # Kept by the session, which looks for them once.
        credentials = self._session.get_credentials()
        if credentials is None:
            raise sdk().exceptions.NoCredentialsError
        # Keys from variables and files are as they are; all others are asked for when they are needed.
        self.may_wait = type(credentials) is not sdk().credentials
        request = sdk().request(method, url, headers, body)
        token = _SIGNING.set(True)
        try:
            keys = credentials.get_frozen_credentials()
            sdk().signature(keys, "bedrock", self._place).add_auth(request)
        finally:
            _SIGNING.reset(token)
        return {name: str(value) for name, value in request.headers.items()}

    def boto(self) -> Any:
        """boto3's client for the same; one."""
        if self._boto is None:
            self._boto = _boto(self._session, self._place, self._endpoint, self._key, is_embedded=self._is_embedded)
        return self._boto

    def close(self) -> None:
        """Close the connections that an exported client holds."""
        close = getattr(self._boto, "close", None)
        if close is not None:
            close()


def client_key(spec: LLMSpec, args: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """What clients are kept under: key, address, place and AWS variables, so that new credentials take effect.

    It holds secrets, and stays in the memory of this process.
    """
    secret = spec.api_key.reveal() if spec.api_key is not None else None
    place = args.get("aws_region")
    return f"{_session_key(args, environ)}:{secret}:{spec.base_url}:{place}:{fallback_region(spec)}"


def client_of(spec: LLMSpec, args: Mapping[str, Any], services: Services, key: str | None = None) -> Client:
    """The client for a spec and the arguments of a call, one for all with the same key."""
    # One session serves all addresses: what it has read from disk and refreshed is not read again.
    profile = args.get("aws_profile")
    environ = services.environ
    session = services.client(_session_key(args, environ), lambda: session_of(sdk(), profile, environ), False)
    key = key or client_key(spec, args, environ)
    client: Client = services.client(key, lambda: _build(spec, args, session, services), False)
    return client


def region(args: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    """The region that options or variables name; None where the profile of boto3 may name one."""
    found = args.get("aws_region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if found and not (isinstance(found, str) and _REGION.fullmatch(found)):
        raise InputError(f"{str(found)!r} is no name of a region, which is a part of the address")
    return found or None


def fallback_region(spec: LLMSpec) -> str:
    """The region where nothing else names one: that of the model's ARN, else the provider's."""
    configured = (spec.provider_record.get("options") or {}).get("region")
    return region_of(spec.model_id) or str(configured or DEFAULT_REGION)


def host_of(place: str) -> str:
    """The ordinary endpoint of a region."""
    return f"https://bedrock-runtime.{place}.amazonaws.com"


def _session_key(args: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    return f"hb_provider_bedrock:{args.get('aws_profile')}:{[environ.get(name) for name in _IDENTITY]}"


def _build(spec: LLMSpec, args: Mapping[str, Any], session: Any, services: Services) -> Client:
    environ, embedded = services.environ, services.environ.is_embedded
    place = region(args, environ) or session.get_config_variable("region") or fallback_region(spec)
    endpoint = spec.base_url or (embedded and environ.base.get("AWS_ENDPOINT_URL"))  # not a folder's .env
    if not endpoint and _is_unusual(session, place, environ):
        endpoint = _boto(session, place, None, is_embedded=embedded).meta.endpoint_url
    return Client(session, (endpoint or host_of(place)).rstrip("/"), place, given_key(spec), is_embedded=embedded)


def _is_unusual(session: Any, place: str, environ: Environ) -> bool:
    """Whether the endpoint of a region is not where it ordinarily is: another partition, or as the user configured."""
    if place.startswith(_UNUSUAL_REGIONS) or environ.base.get("AWS_ENDPOINT_URL"):
        return True
    if any(session.get_config_variable(name) for name in ("use_fips_endpoint", "use_dualstack_endpoint")):
        return True
    return not session.get_scoped_config().keys().isdisjoint({"endpoint_url", "services"})


def _boto(session: Any, place: str, endpoint: str | None, key: str | None = None, *, is_embedded: bool) -> Any:
    options: dict[str, Any] = {
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "user_agent_extra": "hb",
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
    }
    named: dict[str, Any] = {"verify": True} if is_embedded else {}
    if is_embedded:
        options |= EMBEDDED
    if key is not None:
        options["signature_version"] = sdk().unsigned
        # Of no use, but that boto3 looks for none beside a token, which outside of AWS takes it seconds.
        named |= dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "bearer")
    client = session.create_client(
        "bedrock-runtime", region_name=place, endpoint_url=endpoint, config=sdk().config(**options), **named
    )
    if key is not None:

        def present(request: Any, **_: Any) -> None:
            request.headers["Authorization"] = f"Bearer {key}"

        client.meta.events.register("before-send.bedrock-runtime", present)
    return client
