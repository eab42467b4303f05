"""Watching: the watch over this process's calls, as its settings say, and the file that baselines
go through from one process to the next.

The file forgets as it grows: what it has of a step is halved, every second value of it, until no
more than `OLDER` are left, before what a process has seen is added. A forked child adds what it
inherited too, which changes the weight of those calls and hardly a median. Of processes that end at
the same moment the last to write is the one that counts.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from farthing_processor import snapshots
from farthing_processor.baselines import LIMIT
from farthing_processor.histogram import Histogram
from farthing_processor.outliers import Watch
from farthing_processor.settings import Settings
from farthing_processor.snapshots import Measures, Snapshot

OLDER: Final = 1000
"""Calls of a step that the file had before and keeps, at most."""

_log: Final = logging.getLogger("farthing")
_watches: Final[WeakKeyDictionary[MeterProvider, dict[object, Watch]]] = WeakKeyDictionary()


def watch(
    settings: Settings,
    meter_provider: MeterProvider | None = None,
    tracer_provider: TracerProvider | None = None,
) -> Watch:
    """The watch of what reports to a meter provider, or to the global one: one for each set of
    thresholds and files. Never raises: a file that cannot be used is said and left out."""
    made = _watches.setdefault(meter_provider or metrics.get_meter_provider(), {})
    rules = settings.outlier_rules
    kind = rules, settings.baseline, settings.baseline_save, settings.prompt_hash
    if kind not in made:
        made[kind] = found = Watch(
            rules,
            _loaded(settings),
            provider=tracer_provider,
            tells_prompts=settings.prompt_hash,
        )
        if settings.baseline_save is not None:
            save_at_exit(found.snapshot, settings.baseline_save)
    return made[kind]


def _loaded(settings: Settings) -> Snapshot | None:
    path = settings.baseline
    if path is None or (path == settings.baseline_save and not os.path.exists(path)):
        return None  # nobody has saved one yet
    try:
        return snapshots.load(path)
    except ValueError as fault:
        _log.warning("%s", fault)
    return None


def save_at_exit(seen: Callable[[], Snapshot], path: str) -> None:
    """Add to a file what will have been ``seen`` when this process ends, a forked child too."""
    atexit.register(_save, seen, os.path.abspath(path))


def _save(seen: Callable[[], Snapshot], path: str) -> None:
    try:
        found = seen()
        if found:
            snapshots.save(_added(found, path), path)
    except ValueError as fault:  # what cannot be read is not overwritten either
        _log.warning("%s", fault)


def _added(found: Snapshot, path: str) -> Snapshot:
    if not Path(path).exists():
        return found
    older = {
        key: Measures(*map(_thinned, measures)) for key, measures in snapshots.load(path).items()
    }
    # No more steps than a process keeps: of those in the file, the first by name.
    kept = [key for key in older if key not in found][: max(LIMIT - len(found), 0)]
    return snapshots.merged({key: older[key] for key in (*kept, *(found.keys() & older))}, found)


def _thinned(histogram: Histogram) -> Histogram:
    """Every second value, in their order, until there are `OLDER` at most: its median stays."""
    while histogram.count > OLDER:
        halved: dict[int, int] = {}
        carried = 0
        for index, count in histogram.buckets().items():
            halved[index], carried = divmod(count + carried, 2)
        histogram = Histogram.of_buckets(halved)
    return histogram
