"""What all gateways must agree on: who is out, what is spent, whose signature is ours; kept in SQL."""

from phigate.ledger.engines import LedgerFault
from phigate.ledger.faults import Faults
from phigate.ledger.ledger import Ledger, LedgerDown
from phigate.ledger.opening import open_ledger
from phigate.ledger.rows import GatewayKey, Revocation

__all__ = ["Faults", "GatewayKey", "Ledger", "LedgerDown", "LedgerFault", "Revocation", "open_ledger"]
