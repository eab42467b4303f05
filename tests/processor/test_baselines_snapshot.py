"""Snapshots: sums are exact, files come back whole, and OTLP's histograms go in and out."""

from __future__ import annotations

import json
import os
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from farthing_processor.baselines import Baselines
from farthing_processor.histogram import Exponential, Histogram
from farthing_processor.snapshots import Snapshot, from_json, load, merged, save, to_json

NOW = 1_760_000_000 * 10**9

CALLS = st.lists(
    st.tuples(
        st.sampled_from(["shop", "search"]),
        st.text(max_size=3),
        st.floats(0, 1e6) | st.none(),
        st.integers(0, 10**13) | st.none(),
        st.integers(0, 10**13) | st.none(),
    ),
    max_size=40,
)


def snapshot_of(calls: Sequence[tuple[Any, ...]]) -> Snapshot:
    baselines = Baselines()
    for service, step, *values in calls:
        baselines.observe(service, step, NOW, *values)
    return baselines.snapshot(NOW)


def histogram(values: Sequence[float]) -> Histogram:
    made = Histogram()
    for value in values:
        made.insert(value)
    return made


def medians(snapshot: Snapshot) -> dict[Any, Any]:
    return {key: [(h.p50, h.count) for h in snapshot[key]] for key in snapshot}


@pytest.fixture
def snapshot() -> Snapshot:
    draw = random.Random(3)
    names = [("shop", "plan"), ("shop", "étape ✓"), ("search", "rank\ud800"), ("search", "")]
    return snapshot_of(
        [
            (*names[n % 4], draw.lognormvariate(-5, 1), draw.randrange(9999), draw.randrange(999))
            for n in range(400)
        ]
    )


# Sums.


@given(CALLS, CALLS, CALLS)
def test_a_merge_is_the_snapshot_of_all_calls(a: Any, b: Any, c: Any) -> None:
    every = to_json(snapshot_of([*a, *b, *c]))
    one, two, three = map(snapshot_of, (a, b, c))
    assert to_json(merged(one, two, three)) == every
    assert to_json(merged(three, one, two)) == every
    assert to_json(merged(merged(one, two), three)) == every
    assert to_json(merged(one, merged(two, three))) == every
    assert medians(merged(one, two, three)) == medians(snapshot_of([*a, *b, *c]))


def test_a_merge_changes_nothing_that_it_is_of(snapshot: Snapshot) -> None:
    before = json.dumps(to_json(snapshot))
    merged(snapshot, snapshot)["shop", "plan"].cost.insert(1.0)
    assert json.dumps(to_json(snapshot)) == before
    assert to_json(merged(snapshot)) == to_json(snapshot)
    assert merged() == {}


def test_a_snapshot_stays_as_it_was() -> None:
    baselines = Baselines()
    baselines.observe("shop", "plan", NOW, 1.0, 1, 1)
    taken = baselines.snapshot(NOW)
    baselines.observe("shop", "plan", NOW, 2.0, 2, 2)
    assert taken["shop", "plan"].cost.count == 1


# Files.


@given(CALLS)
def test_json_comes_back_whole(calls: Any) -> None:
    before = snapshot_of(calls)
    after = from_json(json.loads(json.dumps(to_json(before))))
    assert to_json(after) == to_json(before)
    assert medians(after) == medians(before)


def test_a_file_comes_back_whole(snapshot: Snapshot, tmp_path: Path) -> None:
    path = tmp_path / "new" / "baseline.json"
    save(snapshot, path)
    assert to_json(load(path)) == to_json(snapshot)
    assert to_json(load(str(path))) == to_json(snapshot)
    assert os.listdir(path.parent) == ["baseline.json"]


def test_what_is_loaded_speaks_and_grows(snapshot: Snapshot, tmp_path: Path) -> None:
    save(snapshot, tmp_path / "baseline.json")
    said = Baselines(load(tmp_path / "baseline.json")).observe("shop", "plan", NOW, 1, 1, 1)
    assert (said.cost, said.samples) == (snapshot["shop", "plan"].cost.p50, 100)
    assert said.source == "snapshot"


def test_a_file_has_one_line_for_each_step_in_order(snapshot: Snapshot, tmp_path: Path) -> None:
    save(snapshot, tmp_path / "one")
    save(dict(reversed(snapshot.items())), tmp_path / "two")
    text = (tmp_path / "one").read_text()
    assert text == (tmp_path / "two").read_text()
    first, *rows, last = text.splitlines()
    assert first == '{"version": 1, "scale": 4, "steps": ['
    assert last == "]}"
    steps = [json.loads(row.rstrip(",")) for row in rows]
    assert [(s["service"], s["step"]) for s in steps] == sorted(snapshot)
    assert all(len(row) < 2500 for row in rows)


def test_a_file_is_what_the_format_says(tmp_path: Path) -> None:
    save(snapshot_of([("shop", "plan", 0.0, 8, None)] * 2), tmp_path / "baseline")
    assert json.loads((tmp_path / "baseline").read_text()) == {
        "version": 1,
        "scale": 4,
        "steps": [
            {
                "service": "shop",
                "step": "plan",
                "cost": {"zero": 2},
                "input_tokens": {"buckets": [[47, 2]]},
            }
        ],
    }


def test_what_a_later_farthing_adds_is_ignored(snapshot: Snapshot) -> None:
    data = to_json(snapshot)
    for thing in (data, data["steps"][0], data["steps"][0]["cost"]):
        thing["added"] = {"later": 1}
    assert medians(from_json(data)) == medians(snapshot)


def test_a_step_that_is_there_twice_is_the_sum(snapshot: Snapshot) -> None:
    data = to_json(snapshot)
    data["steps"] *= 2
    assert to_json(from_json(data)) == to_json(merged(snapshot, snapshot))


def step(**fields: Any) -> str:
    row = {"service": "shop", "step": "plan", **fields}
    return json.dumps({"version": 1, "scale": 4, "steps": [row]})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("", "is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("\xff\xfe", "is not JSON"),
        ("[" * 100_000, "is not JSON (maximum recursion depth exceeded"),
        ("[]", "has [] for the object of a file"),
        ("null", "has None for the object of a file"),
        ("{}", "has version None, and version 1 is what is read"),
        ('{"version": 2, "scale": 4, "steps": []}', "has version 2, and version 1"),
        ('{"version": 1, "scale": 4}', "has no list of steps"),
        ('{"version": 1, "scale": 4, "steps": [7]}', "has 7 for the object of a step"),
        (step(service=None), "has a step without the names of its service and of itself"),
        (step(step=["plan"]), "has a step without the names of its service and of itself"),
        (step(cost=None), "has None for the object of a histogram"),
        (step(cost=[1]), "has [1] for the object of a histogram"),
        (step(cost={"zero": -1}), "has -1 for a count of zeros"),
        (step(cost={"zero": True}), "has True for a count of zeros"),
        (step(cost={"buckets": 5}), "has buckets that are no pairs of an index and a count"),
        (step(cost={"buckets": [[1]]}), "has buckets that are no pairs of an index and a count"),
        (step(cost={"buckets": [[1, -1]]}), "has buckets that are no pairs"),
        (step(cost={"buckets": [[1, 0.5]]}), "has buckets that are no pairs"),
        (step(cost={"buckets": [[0.5, 1]]}), "has buckets that are no pairs"),
        (step(cost={"buckets": [["1", 1]]}), "has buckets that are no pairs"),
        (step(cost={"buckets": [[1, 2**60]]}), "has buckets that are no pairs"),
        (step().replace("4", "-1"), "has the scale -1, which is none from 0 to 20"),
        (step().replace("4", "null"), "has the scale None, which is none from 0 to 20"),
        (step().replace("4", "21"), "has the scale 21, which is none from 0 to 20"),
    ],
)
def test_a_file_that_is_none_is_one_clear_sentence(
    text: str | None, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "baseline.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"^The baseline file .*; save a new one\.$") as raised:
        load(path)
    assert f"{path} is not used: it {why}" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_and_a_huge_file_are_no_baselines(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"it cannot be read \(Is a directory\); save"):
        load(tmp_path)
    with open(tmp_path / "huge", "wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ValueError, match=r"it is larger than 64 MB; save"):
        load(tmp_path / "huge")


def test_what_cannot_be_saved_leaves_what_there_was(snapshot: Snapshot, tmp_path: Path) -> None:
    path = tmp_path / "baseline"
    save(snapshot, path)
    with pytest.raises(ValueError, match=r"not saved to .*; give a file that can be written\.$"):
        save(snapshot, path / "below a file")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"not saved to .*folder: Is a directory; give a file"):
        save(snapshot, folder)
    assert sorted(os.listdir(tmp_path)) == ["baseline", "folder"]
    assert to_json(load(path)) == to_json(snapshot)


# OTLP.


def point_of(values: Sequence[float], max_scale: int = 20) -> Exponential:
    """What the SDK makes of values, as it would send it."""
    aggregation = ExponentialBucketHistogramAggregation(max_size=160, max_scale=max_scale)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], views=[View(instrument_name="*", aggregation=aggregation)])
    recorder = provider.get_meter("test").create_histogram("cost")
    for value in values:
        recorder.record(value)
    data: Any = reader.get_metrics_data()
    point = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]
    positive = point.positive
    return Exponential(point.scale, point.zero_count, positive.offset, positive.bucket_counts)


def test_it_has_the_buckets_that_the_sdk_has() -> None:
    draw = random.Random(7)
    values = [*(draw.uniform(0.5, 300) for _ in range(2000)), 0.0, 1.0, 2.0, 256.0]
    theirs, ours = point_of(values, max_scale=4), histogram(values).exponential()
    assert theirs.scale == ours.scale == 4
    assert ours.zero_count == theirs.zero_count == 1
    assert ours.offset == theirs.offset
    padding = [0] * (len(theirs.counts) - len(ours.counts))
    assert [*ours.counts, *padding] == list(theirs.counts)


def test_a_metric_of_the_sdk_is_a_baseline() -> None:
    """Finer than ours it is the same; coarser, as where values lie far apart, nearly."""
    draw = random.Random(8)
    near = [draw.uniform(1, 4) for _ in range(999)]
    far = [draw.lognormvariate(-6, 3) for _ in range(999)]
    fine, coarse = point_of(near), point_of(far)
    assert (fine.scale, coarse.scale) == (6, 2)
    assert Histogram.of(fine).buckets() == histogram(near).buckets()
    assert Histogram.of(coarse).count == 999
    assert Histogram.of(coarse).p50 == pytest.approx(statistics.median(far), rel=0.12)


@given(st.lists(st.floats(0, allow_infinity=False)))
def test_a_histogram_goes_out_and_comes_back(values: list[float]) -> None:
    before = histogram(values)
    point = before.exponential()
    after = Histogram.of(point)
    assert after.buckets() == before.buckets()
    assert (after.p50, after.count) == (before.p50, before.count)
    assert point.zero_count + sum(point.counts) == len(values)
    assert not point.counts or (point.counts[0] and point.counts[-1])


@pytest.mark.parametrize("scale", range(21))
@pytest.mark.parametrize("value", [0.0021, 1.0, 3.0, 12_345.0])
def test_a_metric_of_any_scale_keeps_its_median(scale: int, value: float) -> None:
    made = Histogram.of(point_of([value] * 5, max_scale=scale))
    worst = 2 ** (2 ** -min(scale, 4) / 2 + 1 / 32 * (scale < 4)) * (1 + 1e-9)
    assert made.count == 5
    assert made.p50 is not None
    assert value / worst <= made.p50 <= value * worst


@pytest.mark.parametrize(
    "point",
    [
        Exponential(-1, 0, 0, [1]),
        Exponential(21, 0, 0, [1]),
        Exponential(4, -1, 0, [1]),
        Exponential(4, 0, 0, [-1]),
        Exponential(4, 0, 0, [True]),
    ],
)
def test_what_is_no_histogram_is_refused(point: Exponential) -> None:
    with pytest.raises(ValueError, match=r"^has "):
        Histogram.of(point)


def test_counts_may_be_those_of_a_fleet() -> None:
    """More than 32 bits hold, by a merge or by one call more."""
    full = Histogram.of(Exponential(4, 0, 3, [2**32 - 1]))
    full.insert(2.0 ** (3.5 / 16))
    assert full.buckets() == {3: 2**32}
    many = full.plus(*[full] * 1000)
    many.insert(2.0 ** (9.5 / 16))
    assert many.buckets() == {3: 1001 * 2**32, 9: 1}
    assert many.p50 == full.p50
