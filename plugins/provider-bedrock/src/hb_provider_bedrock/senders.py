"""What one gateway shares between its calls: hb's connections, and which clients of boto3 are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.client import client_key, client_of
from heavenbase.http.client import PROXIES, sender_to, with_call_proxies

if TYPE_CHECKING:
    from hb_provider_bedrock.client import Client
    from hb_provider_bedrock.outgoing import Address
    from heavenbase.call import Call, Services

_KNOWN_LIMIT = 256


class Senders:
    """Clients and connections by call, kept by the kernel's pool of clients."""

    def __init__(self, services: Services) -> None:
        from heavenbase.http.transport.connections import Connections

        self.services = services
        self._connections = Connections()
        self._known: set[str] = set()

    def client(self, call: Call) -> Client:
        """The client of boto3 for a call; the first one takes a tenth of a second to make."""
        key = client_key(call)
        client = client_of(call, self.services, key)
        if len(self._known) >= _KNOWN_LIMIT:
            self._known.clear()
        self._known.add(key)
        return client

    def known_client(self, call: Call) -> Client | None:
        """The client of a call where it was made before."""
        key = client_key(call)
        return client_of(call, self.services, key) if key in self._known else None

    def of(self, call: Call, url: Address, *, is_async: bool) -> Any:
        """What sends to an address: the kernel's transport, else hb's connections on the route that leads there."""
        record = call.spec.gateway_record
        proxies = [call.controls.get(name, call.spec.args.get(name)) for name in PROXIES]
        key = f"hb_provider_bedrock:{url.scheme}:{url.netloc}:{proxies}:{record.get('ca_file')}"

        def make() -> Any:
            spec = with_call_proxies(call)
            return sender_to(str(url), spec, self.services, self._connections, is_async=is_async)

        return self.services.client(key, make, is_async)
