"""Sample the spans of other tracers, by running their packages against the simulator.

    python scripts/sample_spans.py                     # every emitter
    python scripts/sample_spans.py logfire litellm     # these

Each is run in an environment of its own (made on first use, with the versions that `tests.peers`
pins) and its sample written to tests/spans/EMITTER.json: change a pin, run this, and see in the
difference what the new release writes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import peers  # noqa: E402 - found through the line above
from tests.emitters import EMITTERS  # noqa: E402

SPANS = ROOT / "tests/spans"


def sample(emitter: str) -> str:
    """The JSON of one emitter. Raises `subprocess.CalledProcessError` with its words."""
    run = subprocess.run(
        [peers.python(EMITTERS[emitter].environment), "-m", "tests.sampling", emitter],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=peers.environment(),
        timeout=180,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])  # others may print
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("emitter", nargs="*", help=f"of {', '.join(EMITTERS)} (all)")
    asked = parser.parse_args().emitter
    if unknown := [emitter for emitter in asked if emitter not in EMITTERS]:
        parser.error(f"there is no emitter {unknown[0]!r}: choose of {', '.join(EMITTERS)}.")
    SPANS.mkdir(exist_ok=True)
    failed = 0
    for emitter in asked or EMITTERS:
        try:
            text = sample(emitter)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            words = (error.stderr or "").strip()
            sys.stderr.write(f"{emitter} could not be sampled: {error}\n{words}\n")
            failed += 1
            continue
        target = SPANS / f"{emitter}.json"
        target.write_text(text)
        print(f"{target.relative_to(ROOT)}: {len(text):,} bytes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
