"""Runs the sample agent for as long as the stack runs: a brief and a report, a pause, and again.

All of it is one process, as a service is. What a process counts that ends after one run, Prometheus
cannot tell from what the run before it had counted. The providers are simulated in this process,
which keeps them on loopback, and anew after each 40 briefs, since the simulator keeps its bill in
memory; what goes wrong with them is what goes wrong in ``farthing demo``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from itertools import count

from farthing_dashboards.agent.__main__ import ERRORS
from farthing_dashboards.agent.customer_report import write_report
from farthing_dashboards.agent.models import Models
from farthing_dashboards.agent.research_brief import Researcher
from farthing_dashboards.demo import FAULTS
from farthing_dashboards.simulator import Simulator

PORT = 8089
MONTH = 40
log = logging.getLogger("sample_agent")


async def write_month(base_url: str, pause: int) -> None:
    """Write `MONTH` briefs and as many reports, ``pause`` seconds apart, whatever fails."""
    models = Models(base_url, api_key="none")
    researcher = Researcher(models)
    try:
        for number in range(MONTH):
            for result in await asyncio.gather(
                write_report(models, number),
                researcher.write_brief(number),
                return_exceptions=True,
            ):
                if isinstance(result, ERRORS):
                    log.warning("Number %d failed: %s", number + 1, result)
                elif isinstance(result, BaseException):
                    raise result
            await asyncio.sleep(pause)
    finally:
        await models.close()


def stop(_signal: int, _frame: object) -> None:
    sys.exit(0)


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(message)s")
    given = os.environ.get("PAUSE_SECONDS", "15")
    if not given.isdecimal():
        sys.exit(f"PAUSE_SECONDS takes a whole number of seconds, such as 15, not {given!r}.")
    # As `docker stop` asks for it: the last spans and metrics leave when the interpreter ends.
    signal.signal(signal.SIGTERM, stop)
    for month in count():
        with Simulator(seed=month, port=PORT, faults=FAULTS) as simulator:
            asyncio.run(write_month(simulator.url, int(given)))


if __name__ == "__main__":
    main()
