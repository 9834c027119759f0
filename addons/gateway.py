"""The gateway: its addons, in the order in which every request and every answer meets them."""

import sys

try:
    from phigate.access.addon import Access
    from phigate.approval.addon import Approval
    from phigate.audit.addon import Again
    from phigate.capture.addon import Capture
    from phigate.console.addon import Console
    from phigate.gate.addon import Refuse, Release
    from phigate.house import House
    from phigate.identity.addon import Identity
    from phigate.masking.addon import Masking
    from phigate.rpc.addon import Rpc
except Exception as error:  # noqa: BLE001 -- mitmproxy would go on without us, as a plain proxy
    sys.exit(f"phigate: cannot be loaded ({type(error).__name__}: {getattr(error, 'name', '')})")

house = House()
house.open_or_end()  # what breaks between here and the first port ends the process

addons = [
    Refuse(house),  # closed until proven permitted
    Identity(house),  # who is asking?
    Access(house),  # may they?
    Masking(house),  # what may they, the model, and everyone looking on see?
    Approval(house),  # or must someone say yes first?
    Capture(house),  # what do we remember?
    Console(house),  # the people's side, on its own port
    Rpc(house),  # all of that for gRPC, on its own port
    Again(house),  # nobody: what would be decided of recorded flows?
    Release(house),  # open, if nothing above said no or broke
]
