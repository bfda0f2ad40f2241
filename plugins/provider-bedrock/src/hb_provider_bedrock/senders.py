"""What signs and sends the requests of one spec, on what all calls of a gateway share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.client import client_key, client_of
from heavenbase.http import sender_to
from heavenbase.options import PROXIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_bedrock.client import Client
    from hb_provider_bedrock.outgoing import Address
    from heavenbase.call import Services
    from heavenbase.http import Connections
    from heavenbase.spec import LLMSpec

_KNOWN_LIMIT = 256


class Sender:
    """boto3's client and hb's connections for a spec and the arguments of a call, made when the first request is sent.

    `known` tells, for all senders of a gateway, which clients were made: by the hashes of their keys, which are secret.
    """

    def __init__(
        self,
        spec: LLMSpec,
        args: Mapping[str, Any],
        services: Services,
        connections: Connections,
        known: set[int],
    ) -> None:
        self._spec = spec
        self._args = args
        self._services = services
        self._connections = connections
        self._known = known
        self._key = client_key(spec, args, services.environ)

    def signer(self) -> Client:
        """The client of boto3; the first one takes a tenth of a second to make."""
        client = client_of(self._spec, self._args, self._services, self._key)
        if len(self._known) >= _KNOWN_LIMIT:
            self._known.clear()
        self._known.add(hash(self._key))
        return client

    @property
    def may_wait(self) -> bool:
        """Whether signing may read files, or look for credentials over the network or by a program."""
        return hash(self._key) not in self._known or self.signer().may_wait

    def to(self, url: Address, *, is_async: bool) -> Any:
        """What sends to an address: the kernel's transport, else hb's connections on the route that leads there."""
        spec = self._spec
        proxies = [spec.args.get(name) for name in PROXIES]
        key = f"hb_provider_bedrock:{url.scheme}:{url.netloc}:{proxies}:{spec.gateway_record.get('ca_file')}"

        def make() -> Any:
            return sender_to(str(url), spec, self._services, self._connections, is_async=is_async)

        return self._services.client(key, make, is_async)
