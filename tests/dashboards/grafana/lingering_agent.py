"""The sample agent with agents and features named, alive after its work until its input ends.

It says ``done`` then, so that its last values can be scraped before it goes.
"""

from __future__ import annotations

import asyncio
import os
import sys

import farthing
from farthing_dashboards.agent.__main__ import write
from farthing_dashboards.agent.customer_report import write_report
from farthing_dashboards.agent.models import Models
from farthing_dashboards.agent.research_brief import Researcher


async def work(count: int) -> None:
    models = Models(os.environ["LLM_BASE_URL"], "none")
    researcher = Researcher(models)

    @farthing.tag(agent="reporter", feature="reports")
    async def report(number: int) -> None:
        await write_report(models, number)

    @farthing.tag(agent="researcher", feature="briefs")
    async def brief(number: int) -> None:
        await researcher.write_brief(number)

    try:
        await asyncio.gather(write(report, count), write(brief, count))
    finally:
        await models.close()


asyncio.run(work(int(sys.argv[1])))
print("done", flush=True)
sys.stdin.read()
