"""What every gateway must do, as tests to inherit.

    class TestAcme(GatewayContract):
        gateway = "acme"

All checks run in both colours, through a real kernel, against a loopback server that speaks the gateway's wire and
misbehaves on request. A wire that the server does not know comes with the contract; `route` and `fault` register what
it answers and how it fails (`hb_testing.server`):

    class TestAcme(GatewayContract):
        gateway = "acme"
        wire = "acme"
        capabilities = {"reasoning": False}

        def wires(self):
            return [AcmeWire()]

The credential of every check is a canary, the provider is made up, time limits are real and small; the kernel's clock,
sleep and random are the kit's.
"""

from __future__ import annotations

from hb_testing.conformance.checks_answers import AnswerChecks
from hb_testing.conformance.checks_batches import BatchChecks
from hb_testing.conformance.checks_errors import ErrorChecks
from hb_testing.conformance.checks_features import FeatureChecks
from hb_testing.conformance.checks_life import LifeChecks
from hb_testing.conformance.checks_operations import OperationChecks
from hb_testing.conformance.checks_requests import RequestChecks
from hb_testing.conformance.checks_secrets import SecretChecks
from hb_testing.conformance.checks_streams import StreamChecks
from hb_testing.conformance.checks_time import TimeChecks

__all__ = ["GatewayContract", "VariantContract"]


class VariantContract(
    SecretChecks,
    LifeChecks,
    OperationChecks,
    BatchChecks,
    AnswerChecks,
    RequestChecks,
    FeatureChecks,
):
    """A part of the contract, for the own tests of a gateway that is another one but for its requests.

    How failures, cut streams and silence are read is code of the other gateway then, which keeps the whole contract.
    `--hb-plugin` runs all of `GatewayContract` on both.
    """


class GatewayContract(
    TimeChecks,
    StreamChecks,
    ErrorChecks,
    VariantContract,
):
    """Inherit it in a class named Test…, set `gateway`, and override the hooks of `GatewayBase` that differ."""
