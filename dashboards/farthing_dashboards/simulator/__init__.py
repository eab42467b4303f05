"""A simulator of the OpenAI and Anthropic APIs that knows to the last digit what it charged.

    with Simulator(seed=7) as simulator:
        client = openai.OpenAI(base_url=f"{simulator.url}/v1", api_key="any")
        ...
        total = sum(entry.cost or 0 for entry in simulator.ledger)

Or ``python -m farthing_dashboards.simulator --port 8089``; ``GET /ledger`` is then the bill.
"""

from farthing_dashboards.simulator.server import Fault, FaultKind, LedgerEntry, Simulator

__all__ = ["Fault", "FaultKind", "LedgerEntry", "Simulator"]
