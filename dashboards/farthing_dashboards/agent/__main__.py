"""Runs the sample agent; under ``opentelemetry-instrument`` its costs are recorded.

``LLM_BASE_URL`` says where the models are (OpenAI under ``/v1``, Anthropic at the root),
``LLM_MODEL`` replaces every model name for a server that has only one, ``LLM_API_KEY`` is sent as
the key.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable

import anthropic
import httpx
import openai

from farthing_dashboards.agent.customer_report import write_report
from farthing_dashboards.agent.models import CALLS, Models
from farthing_dashboards.agent.research_brief import Researcher

ERRORS = openai.APIError, anthropic.APIError, httpx.HTTPError
log = logging.getLogger(__name__)


async def write(work: Callable[[int], Awaitable[None]], count: int) -> None:
    """Do ``work`` on each of ``count``, and go on where one fails that is not the first."""
    for number in range(count):
        try:
            await work(number)
        except ERRORS as error:
            if number == 0:
                raise
            log.info("Number %d failed: %s", number + 1, error)


async def write_all(base_url: str, count: int) -> set[str]:
    """Returns the steps that were left out because the server does not serve them."""
    models = Models(base_url, os.environ.get("LLM_API_KEY") or "none")
    researcher = Researcher(models)
    try:
        await asyncio.gather(
            write(lambda number: write_report(models, number), count),
            write(researcher.write_brief, count),
        )
    finally:
        await models.close()
    return models.left_out


def main() -> int:
    parser = argparse.ArgumentParser(description="Write customer reports and research briefs.")
    parser.add_argument(
        "--calls", type=int, default=40, help="calls of the rarest step (%(default)s)"
    )
    count = parser.parse_args().calls
    if count < 1:
        parser.error("--calls takes a number of at least 1")
    base_url = os.environ.get("LLM_BASE_URL", "").rstrip("/").removesuffix("/v1")
    if not base_url:
        sys.stderr.write("Set LLM_BASE_URL to where the models are, as in http://127.0.0.1:8089.\n")
        return 2
    try:
        left_out = asyncio.run(write_all(base_url, count))
    except ERRORS as error:
        sys.stderr.write(f"The model server at {base_url} failed: {error}\n")
        return 1
    return 1 if len(left_out) == len(CALLS) else 0


if __name__ == "__main__":
    sys.exit(main())
