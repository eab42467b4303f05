"""``python -m farthing_dashboards.simulator``: the simulator as a process of its own."""

from __future__ import annotations

import argparse
import signal
import sys

from farthing_dashboards.simulator import Simulator


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m farthing_dashboards.simulator",
        description="Simulate the OpenAI and Anthropic APIs on loopback; GET /ledger is the bill.",
    )
    parser.add_argument("--port", type=int, default=8089, help="0 for any free one (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another month")
    arguments = parser.parse_args()
    try:
        simulator = Simulator(seed=arguments.seed, port=arguments.port)
    except OSError as error:
        sys.stderr.write(f"Port {arguments.port} cannot be used ({error}): choose another one.\n")
        return 1
    stop = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    with simulator:
        sys.stdout.write(f"listening on {simulator.url}\n")
        sys.stdout.flush()
        signal.sigwait(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
