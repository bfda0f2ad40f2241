"""Servers behind certificates that a client must, or must not, accept."""

from __future__ import annotations

import contextlib
import datetime
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hb_testing.server.loopback import LoopbackServer
from heavenbase.errors import UnknownNameError

KINDS = ("good", "self-signed", "expired", "wrong-host")


class TLSServer(LoopbackServer):
    """A LoopbackServer over TLS. `ca_pem` is the authority that its clients are to trust, in PEM."""

    def __init__(self, *, tls: ssl.SSLContext, ca_pem: bytes, **options: Any) -> None:
        super().__init__(tls=tls, **options)
        self.ca_pem = ca_pem

    def client_context(self) -> ssl.SSLContext:
        """A client's context that trusts `ca_pem` and nothing else."""
        return ssl.create_default_context(cadata=self.ca_pem.decode())


@contextlib.contextmanager
def tls_server(kind: str = "good", **options: Any) -> Iterator[TLSServer]:
    """Serve https on 127.0.0.1 with a certificate of `kind`; the options are LoopbackServer's.

    good         issued by `ca_pem` for 127.0.0.1 and localhost: clients that trust `ca_pem` connect
    expired      as good, but its time has passed
    wrong-host   as good, but for another host
    self-signed  vouched for by nobody but itself; `ca_pem` is another authority
    Raises UnknownNameError for another kind. Needs the package trustme.
    """
    if kind not in KINDS:
        raise UnknownNameError("certificate kind", kind, KINDS)
    import trustme  # A development dependency: whoever needs no TLS need not have it.

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if kind == "self-signed":
        own = trustme.CA()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "own.pem"
            file.touch(mode=0o600)
            file.write_bytes(own.private_key_pem.bytes() + own.cert_pem.bytes())
            context.load_cert_chain(file)
    else:
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=30)
        authority.issue_cert(
            *(("elsewhere.invalid",) if kind == "wrong-host" else ("127.0.0.1", "localhost")),
            not_before=past - datetime.timedelta(days=30) if kind == "expired" else None,
            not_after=past if kind == "expired" else None,
        ).configure_cert(context)
    with TLSServer(tls=context, ca_pem=authority.cert_pem.bytes(), **options) as server:
        yield server
