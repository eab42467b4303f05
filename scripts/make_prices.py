"""Generate the price pack from the pinned genai-prices release.

    python scripts/make_prices.py            # rewrite prices.jsonl
    python scripts/make_prices.py --check    # exit 1 when the committed file is out of date

Its format is described in `farthing_processor.pricing.published`, which makes it.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from farthing_processor.pricing import published
from farthing_processor.pricing.published import SOURCE

ROOT = Path(__file__).resolve().parent.parent
PACK = ROOT / "processor/farthing_processor/pricing/data/prices.jsonl"


def released(package_version: str) -> str:
    """When the release of the source was published, as uv.lock records it."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    for package in lock["package"]:
        if package["name"] == SOURCE:
            if package["version"] != package_version:
                raise SystemExit(
                    f"{SOURCE} {package_version} is installed and uv.lock pins"
                    f" {package['version']}: run `uv sync`."
                )
            return package["sdist"]["upload-time"]
    raise SystemExit(f"uv.lock does not name {SOURCE}: run `uv lock`.")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    check = parser.parse_args().check
    package_version = version(SOURCE)
    pack = published.pack(
        published.from_package(),
        {"version": package_version, "released": released(package_version)},
    )
    if check:
        if PACK.read_text() == pack:
            return 0
        print(f"{PACK.relative_to(ROOT)} is out of date: run `python scripts/make_prices.py`.")
        return 1
    PACK.write_text(pack)
    print(f"{PACK.relative_to(ROOT)}: {pack.count(chr(10)) - 1} models, {len(pack) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
