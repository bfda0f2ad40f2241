"""Clients of boto3: made from a spec, asked to address and sign requests that hb's own connections then carry.

So the SDK does what it is good for (regions, endpoints, its chain of credentials, their refreshing, signatures), and
answers come under hb's clocks and limits, live and in both colours. The event `before-call` is where hb's body takes
the place of the SDK's, and where the signed request leaves it.
"""

from __future__ import annotations

import logging
import os
from contextvars import ContextVar
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from hb_provider_bedrock.models import region_of
from hb_provider_bedrock.outgoing import Outgoing
from heavenbase.errors import MissingPackage
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call, Services
    from heavenbase.spec import LLMSpec

PLACES = ("aws_region", "aws_profile")
"""Options that choose where a request goes and as whom; they never reach the wire."""
DEFAULT_REGION = "us-east-1"
CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 120.0
_IDENTITY = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
)
_ENVIRONMENT = os.environ


class _Order:
    """What one call wants signed, and the result."""

    __slots__ = ("body", "headers", "query", "signed")

    def __init__(self, body: bytes, headers: Mapping[str, str], query: Mapping[str, Any]) -> None:
        self.body = body
        self.headers = headers
        self.query = query
        self.signed: Any = None


_ORDER: ContextVar[_Order | None] = ContextVar("hb_bedrock_order", default=None)


class SDK:
    """The parts of boto3 that hb uses. Imported by the first call; boto3's own module adds resources to them alone."""

    def __init__(self) -> None:
        try:
            core, config, session, request, credentials, errors = (
                import_module(f"botocore{name}")
                for name in ("", ".config", ".session", ".awsrequest", ".credentials", ".exceptions")
            )
        except ImportError as error:
            raise MissingPackage("the bedrock gateway needs the package boto3: pip install 'boto3>=1.40'") from error
        self.session: Any = session.Session
        self.config: Any = config.Config
        self.unsigned: Any = core.UNSIGNED
        self.request: Any = request.create_request_object
        self.exceptions: Any = errors
        self.credentials: Any = credentials.Credentials
        for name in ("botocore.auth", "botocore.endpoint"):
            logging.getLogger(name).addFilter(_is_foreign)


def _is_foreign(record: logging.LogRecord) -> bool:
    """Whether a line of boto3's log is about another's request: those about signatures show session tokens."""
    return _ORDER.get() is None


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """boto3, imported at the first call."""
    return SDK()


class Client:
    """One client of boto3, as `boto`, and what signs with it."""

    def __init__(self, boto: Any, key: str | None, may_wait: bool) -> None:
        self.boto = boto
        self.may_wait = may_wait
        """Whether signing may fetch or refresh a credential, over the network or by a program."""
        self._key = key
        events = boto.meta.events
        # Behind all others, which may still change the request.
        events.register_last("before-call.bedrock-runtime", lambda params, model, **_: _sign(params, model, events))

    def close(self) -> None:
        """Close the connections that an exported client holds."""
        close = getattr(self.boto, "close", None)
        if close is not None:
            close()

    def sign(
        self, operation: str, model_id: str, body: bytes, headers: Mapping[str, str], query: Mapping[str, Any]
    ) -> Outgoing:
        """The request of an operation (`converse`, `converse_stream`, `invoke_model`), addressed and signed.

        Raises what boto3 raises.
        """
        order = _Order(body, headers, query)
        token = _ORDER.set(order)
        try:
            getattr(self.boto, operation)(modelId=model_id)
        finally:
            _ORDER.reset(token)
        request = order.signed
        found = [(name, _text(value)) for name, value in request.headers.items()]
        if self._key is not None:
            found.append(("Authorization", f"Bearer {self._key}"))
        return Outgoing(request.method, request.url, found, body)


def client_key(call: Call) -> str:
    """What clients are kept under: key, address, place and AWS variables, so that new credentials take effect.

    It holds secrets, and stays in the memory of this process.
    """
    spec = call.spec
    secret = spec.api_key.reveal() if spec.api_key is not None else None
    place = call.args.get("aws_region")
    return f"{_session_key(call)}:{secret}:{spec.base_url}:{place}:{fallback_region(spec)}"


def client_of(call: Call, services: Services, key: str | None = None) -> Client:
    """The client of a call, one for all with the same key."""
    # One session makes the clients of all addresses: what it has read from disk and refreshed is not read again.
    profile = call.args.get("aws_profile")
    session = services.client(_session_key(call), lambda: _session(profile), False)
    client: Client = services.client(key or client_key(call), lambda: _build(call.spec, call.args, session), False)
    return client


def _session_key(call: Call) -> str:
    return f"hb_provider_bedrock:{call.args.get('aws_profile')}:{[_ENVIRONMENT.get(name) for name in _IDENTITY]}"


def _session(profile: Any) -> Any:
    session = sdk().session(profile=str(profile)) if profile else sdk().session()
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return session


@lru_cache(maxsize=4)
def _loader(path: str | None) -> Any:
    """What reads boto3's descriptions of services, which are the same for all sessions, and take long to read."""
    return import_module("botocore.loaders").create_loader(path)


def region(spec: LLMSpec, args: Mapping[str, Any]) -> str | None:
    """The region that options or variables name; None where the profile of boto3 may name one."""
    found = args.get("aws_region") or _ENVIRONMENT.get("AWS_REGION") or _ENVIRONMENT.get("AWS_DEFAULT_REGION")
    return str(found) if found else None


def fallback_region(spec: LLMSpec) -> str:
    """The region where nothing else names one: that of the model's ARN, else the provider's."""
    configured = (spec.provider_record.get("options") or {}).get("region")
    return region_of(spec.model_id) or str(configured or DEFAULT_REGION)


def bearer(spec: LLMSpec) -> str | None:
    """The bearer token to send, checked; None where boto3 is to sign."""
    if spec.api_key is None or not spec.api_key:
        return None
    variables = spec.provider_record.get("api_key_env") or ("api_key",)
    return Secret.check(spec.api_key, variables[0]).reveal()


def _build(spec: LLMSpec, args: Mapping[str, Any], session: Any) -> Client:
    package, key = sdk(), bearer(spec)
    place = region(spec, args) or session.get_config_variable("region") or fallback_region(spec)
    # The limits are for a client that is exported: hb's own calls, whose limits differ, share it.
    options: dict[str, Any] = {
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "parameter_validation": False,
        "user_agent_extra": "hb",
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
    }
    named: dict[str, Any] = {}
    if key is not None:
        options["signature_version"] = package.unsigned
        # Of no use but that boto3 looks for none, which outside of AWS takes it seconds.
        named = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "bearer")
    boto = session.create_client(
        "bedrock-runtime", region_name=place, endpoint_url=spec.base_url, config=package.config(**options), **named
    )
    # Keys from variables and files are as they are; all others are asked for when they are needed.
    may_wait = key is None and type(session.get_credentials()) is not package.credentials
    return Client(boto, key, may_wait)


class _Signed:
    """What the SDK takes for the answer, once the request is signed."""

    status_code = 200


_SIGNED: tuple[_Signed, dict[str, Any]] = (_Signed(), {})


def _sign(params: dict[str, Any], model: Any, events: Any) -> Any:
    """Put hb's body in place of the SDK's and have its handlers sign it; an answer, so that the SDK sends nothing."""
    order = _ORDER.get()
    if order is None:
        return None
    params["body"] = order.body
    params["headers"].update(order.headers)
    if order.query:
        mark = "&" if "?" in params["url"] else "?"
        params["url"] += f"{mark}{urlencode(order.query)}"
    request = sdk().request(params)
    name = model.name
    events.emit(f"request-created.bedrock-runtime.{name}", request=request, operation_name=name)
    order.signed = request.prepare()
    return _SIGNED


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
