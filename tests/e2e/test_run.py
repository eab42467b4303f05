"""`farthing run`: programs run as if alone, and every call of theirs is in the store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from farthing_dashboards import demo
from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Simulator
from farthing_dashboards.store import open_for_reading
from farthing_dashboards.store.schema import to_usd
from tests.e2e.conftest import APP, BIN
from tests.e2e.running import FARTHING, Terminal, billed, costs, environment, started

Farthing = Callable[..., "subprocess.CompletedProcess[bytes]"]

SAID = b"assistant\nassistant\n"
CALL = """
import os, sys
import openai
def call():
    openai.OpenAI(api_key="key", base_url=os.environ["LLM_URL"] + "/v1").chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.db"


@pytest.fixture
def farthing(simulator: Simulator, tmp_path: Path) -> Farthing:
    """Run `farthing run` with the command, standard input and variables given."""
    (tmp_path / "app.py").write_text(APP)

    def start(
        *command: str | Path, given: bytes = b"", **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [FARTHING, "run", *command],
            input=given,
            capture_output=True,
            cwd=tmp_path,
            env=environment(simulator, tmp_path, **variables),
            timeout=60,
            check=False,
        )

    return start


def test_a_program_and_what_it_cost(farthing: Farthing, simulator: Simulator, store: Path) -> None:
    result = farthing("python", "app.py")
    assert (result.returncode, result.stdout) == (0, SAID)
    assert costs(store) == billed(simulator)
    assert len(billed(simulator)) == 2
    first, *steps, more = result.stderr.decode().splitlines()
    total = sum(billed(simulator))
    assert first == f"farthing: ${total:f} for 2 calls."
    assert [line.split()[1] for line in steps] == ["claude-haiku-4-5", "gpt-4o-mini"]
    assert more == "See more: farthing ui"
    with open_for_reading(store) as opened, opened.reading() as connection:
        # The last metrics came too, although the program was over within their interval.
        found = connection.execute("SELECT released IS NOT NULL FROM tables").fetchall()
        services = connection.execute("SELECT DISTINCT service FROM groups").fetchall()
    assert (found, services) == ([(1,)], [("app",)])


@pytest.mark.slow
def test_what_the_sample_agent_spends(farthing: Farthing, store: Path) -> None:
    """Outliers and waste of all kinds: the same sums as in the store."""
    with Simulator(seed=0, faults=demo.FAULTS) as simulator:
        agent = ("python", "-m", "farthing_dashboards.agent", "--calls", "40")
        result = farthing(
            *agent,
            LLM_BASE_URL=simulator.url,
            FARTHING_GATEWAYS=simulator.url.removeprefix("http://"),
            FARTHING_ESTIMATE="1",
        )
    assert result.returncode == 0
    lines = result.stderr.decode().splitlines()
    spend = sum((cost for cost in costs(store) if cost is not None), Decimal(0))
    assert lines[0] == f"farthing: ${spend:f}".rstrip("0") + " for 800 calls."
    assert lines[1].split() == ["doc_synthesis", "$16.744850", "76.5%", "72", "calls"]
    assert lines[5].split()[:3] == ["4", "other", "steps"]
    with open_for_reading(store) as opened, opened.reading() as connection:
        wasted = connection.execute(
            "SELECT waste, sum(cost) FROM calls WHERE waste IS NOT NULL GROUP BY 1 ORDER BY 2 DESC"
        ).fetchall()
        (odd,) = connection.execute(
            "SELECT count(*) FROM calls WHERE instr(reasons, 'cost_outlier')"
        ).fetchone()
    assert lines[6].startswith(f"{odd} outliers, the dearest: doc_synthesis, one call of $4.232825")
    total = to_usd(sum(amount for _, amount in wasted))
    assert lines[7].startswith(f"Wasted: ${total:.6f} (")
    assert lines[7].endswith(
        f": {', '.join(f'${to_usd(amount):.6f} {reason}' for reason, amount in wasted)}."
    )


def test_input_output_and_exit_code_are_the_programs_own(farthing: Farthing) -> None:
    program = (
        "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data);"
        "sys.stderr.buffer.write(data[:9]); sys.exit(41)"
    )
    data = bytes(range(256)) * 1000
    result = farthing("python", "-c", program, given=data)
    assert (result.returncode, result.stdout) == (41, data)
    assert result.stderr.startswith(data[:9])


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--ui", "-v", "x y"], ["--", "--store"], ["--help"], ["--version"], [""]]
)
def test_what_follows_the_command_is_the_commands(farthing: Farthing, arguments: list[str]) -> None:
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    for command in (["python", "-c", program], ["--", "python", "-c", program]):
        assert json.loads(farthing(*command, *arguments).stdout) == arguments


def test_the_environment_is_the_users_own(farthing: Farthing) -> None:
    """But for what leads to us; in a program below, too, after OpenTelemetry was set up."""
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    below = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"
    for command in (program, below):
        seen = json.loads(farthing("python", "-c", command, OTEL_SERVICE_NAME="mine").stdout)
        assert {name for name in seen if name.startswith(("OTEL_", "FARTHING_RUN"))} == {
            "OTEL_SERVICE_NAME",
            "FARTHING_RUN_ENDPOINT",
            "FARTHING_RUN_SERVICE",
            "FARTHING_RUN_REPORT",
        }


def test_a_program_that_is_not_python(farthing: Farthing, store: Path) -> None:
    result = farthing("sh", "-c", "cat; exit 5", given=b"through")
    assert (result.returncode, result.stdout) == (5, b"through")
    assert b"no call arrived. No Python ran that farthing could follow" in result.stderr
    assert costs(store) == []


@pytest.mark.parametrize(
    ("command", "exit_code", "says"),
    [
        ("no-such-program", 127, "There is no program 'no-such-program'"),
        ("./app.py", 126, "'./app.py' cannot be executed (Permission denied)"),
        ("./broken", 126, "the program that its first line names is not there"),
        (".", 126, "'.' cannot be executed (Permission denied)"),
    ],
)
def test_a_command_that_cannot_be_started(
    farthing: Farthing, tmp_path: Path, command: str, exit_code: int, says: str
) -> None:
    (tmp_path / "broken").write_text("#!/no/such/interpreter\n")
    (tmp_path / "broken").chmod(0o755)
    result = farthing(command)
    assert (result.returncode, result.stdout) == (exit_code, b"")
    assert result.stderr.decode().startswith("farthing run: ")
    assert says in result.stderr.decode()
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        ([], 2, "say which program to run"),
        (["--"], 2, "say which program to run"),
        (["--prot", "1", "true"], 2, "--prot"),
        (["--port", "70000", "true"], 2, "'70000' is no port: give a number from 1 to 65535"),
        (["--store", ".", "true"], 1, "is a folder: give the path of a file in it."),
    ],
)
def test_a_command_line_that_makes_no_sense(
    farthing: Farthing, arguments: list[str], exit_code: int, says: str
) -> None:
    result = farthing(*arguments)
    assert result.returncode == exit_code
    assert says in result.stderr.decode()


def test_a_port_that_is_taken(farthing: Farthing, receiver: Receiver, tmp_path: Path) -> None:
    result = farthing("--port", receiver.url.rpartition(":")[2], "touch", "ran")
    assert result.returncode == 1
    assert "cannot be used (Address already in use): choose another one." in (
        result.stderr.decode()
    )
    assert not (tmp_path / "ran").exists()


def test_a_damaged_store_stops_it_before_it_starts(
    farthing: Farthing, store: Path, tmp_path: Path
) -> None:
    store.write_bytes(b"no database\n" * 100)
    result = farthing("touch", "ran")
    assert result.returncode == 1
    assert result.stderr.startswith(b"farthing run: ")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "ran").exists()
    assert store.read_bytes() == b"no database\n" * 100


@pytest.mark.parametrize("days", ["soon", "0", "-1", "inf", "nan"])
def test_a_setting_that_makes_no_sense(farthing: Farthing, days: str) -> None:
    result = farthing("sh", "-c", "exit 3", FARTHING_STORE_DAYS=days)
    assert result.returncode == 3
    says = f"farthing: FARTHING_STORE_DAYS='{days}' is not usable: use a number above 0."
    assert result.stderr.decode().startswith(says)


# Signals.

WAITS = """
import signal, sys, time
def told(number, _):
    print(signal.Signals(number).name, flush=True)
    sys.exit(7)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), told)
print("ready", flush=True)
while True:
    time.sleep(60)
"""
CTRL_C = b"\x03"
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGQUIT")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("heard", [True, False])
def test_a_signal_to_us_reaches_the_program(
    simulator: Simulator, tmp_path: Path, name: str, heard: bool
) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    number = getattr(signal, name)
    python = [sys.executable, "waits.py", *(NAMES if heard else ())]
    env = environment(simulator, tmp_path)
    with started(FARTHING, "run", *python, env=env, cwd=tmp_path, process_group=0) as running:
        running.wait_for("ready")
        os.kill(running.pid, number)
        # Python itself makes an exception of SIGINT, and then ends by the signal.
        assert running.end() == (7 if heard else 128 + number)
    assert running.stdout == (f"ready\n{name}\n" if heard else "ready\n")
    assert "farthing: no call arrived." in running.stderr


def test_the_keys_of_a_terminal_reach_it_once(simulator: Simulator, tmp_path: Path) -> None:
    """Ctrl-C goes to all programs of the terminal's foreground, so we send nothing."""
    program = """
import os, signal, time
heard, told = os.pipe()
os.set_blocking(told, False)
signal.set_wakeup_fd(told)  # a byte each time, however soon after another
signal.signal(signal.SIGINT, lambda *_: None)
print("ready", flush=True)
got = os.read(heard, 1)
time.sleep(0.3)
os.write(told, b".")
got += os.read(heard, 100)
print("times:", len(got) - 1)
"""
    (tmp_path / "counts.py").write_text(program)
    env = environment(simulator, tmp_path)
    with Terminal(FARTHING, "run", sys.executable, "counts.py", env=env, cwd=tmp_path) as terminal:
        terminal.wait_for("ready")
        terminal.type(CTRL_C)
        assert terminal.end() == 0
    assert "times: 1\r\n" in terminal.said


def test_what_arrived_of_a_program_that_is_killed(
    simulator: Simulator, tmp_path: Path, store: Path
) -> None:
    program = CALL + "call(); print('pid', os.getpid(), flush=True); sys.stdin.read()"
    env = environment(simulator, tmp_path)
    with started(FARTHING, "run", "python", "-c", program, env=env, cwd=tmp_path) as running:
        pid = int(running.wait_for("pid ").split()[1])
        while not (store.exists() and costs(store)):
            pass  # within a second
        os.kill(pid, signal.SIGKILL)
        assert running.end() == 128 + signal.SIGKILL
    assert costs(store) == billed(simulator)
    assert "for 1 call." in running.stderr


# Processes below.

BELOW = {
    "fork": "call()\nif not os.fork():\n    call()\n    sys.exit()\nos.wait()",
    "subprocess": "import subprocess\ncall()\n"
    "subprocess.run([sys.executable, 'app_call.py'], check=True)",
    "exec": "os.execv(sys.executable, [sys.executable, 'app_call.py', 'twice'])",
    **{
        f"multiprocessing {method}": "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        f"    child = multiprocessing.get_context({method!r}).Process(target=call)\n"
        "    child.start(); child.join(); call()"
        for method in ("fork", "spawn", "forkserver")
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("how", BELOW)
def test_programs_below_it(
    farthing: Farthing, simulator: Simulator, tmp_path: Path, store: Path, how: str
) -> None:
    (tmp_path / "app_call.py").write_text(CALL + "call()\nif sys.argv[1:]:\n    call()")
    (tmp_path / "main.py").write_text(CALL + BELOW[how])
    result = farthing("python", "main.py")
    assert (result.returncode, result.stdout) == (0, b"")
    assert costs(store) == billed(simulator)
    assert len(billed(simulator)) == 2
    assert b"for 2 calls." in result.stderr


@pytest.mark.slow
def test_a_console_script(
    farthing: Farthing, simulator: Simulator, tmp_path: Path, store: Path
) -> None:
    (tmp_path / "test_app.py").write_text(CALL + "def test_call():\n    call()")
    result = farthing("pytest", "-q", "test_app.py")
    assert result.returncode == 0, result.stdout
    assert b"1 passed" in result.stdout
    assert costs(store) == billed(simulator) != []


@pytest.mark.slow
def test_two_at_once_in_one_store(simulator: Simulator, tmp_path: Path, store: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    env = environment(simulator, tmp_path)
    command = (FARTHING, "run", "python", "app.py")
    with (
        started(*command, env=env, cwd=tmp_path) as one,
        started(*command, env=env, cwd=tmp_path) as other,
    ):
        assert (one.end(), other.end()) == (0, 0)
    assert costs(store) == billed(simulator)
    assert len(billed(simulator)) == 4
    for running in (one, other):  # each tells its own spend alone
        assert "for 2 calls." in running.stderr


# What the user has already.


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_users_own_endpoint_keeps_receiving(
    farthing: Farthing,
    simulator: Simulator,
    collected: Collected,
    receiver: Receiver,
    store: Path,
    protocol: str,
) -> None:
    result = farthing(
        "python",
        "app.py",
        OTEL_EXPORTER_OTLP_ENDPOINT=str(receiver.grpc_url if protocol == "grpc" else receiver.url),
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    )
    assert (result.returncode, result.stdout) == (0, SAID)
    assert costs(store) == billed(simulator)
    assert_sent(collected, simulator, "unknown_service:python")
    assert "gen_ai.client.operation.cost" in {point.name for point in collected.points}


def assert_sent(collected: Collected, simulator: Simulator, service: str) -> None:
    ours = [span for span in collected.spans if span.scope == "farthing"]
    sent = sorted(span.attributes["gen_ai.usage.cost.amount"] for span in ours)
    assert sent == [float(cost) for cost in billed(simulator)] != []
    assert {span.resource["service.name"] for span in ours} == {service}


@pytest.mark.slow
def test_one_signal_of_the_users(
    farthing: Farthing,
    simulator: Simulator,
    collected: Collected,
    receiver: Receiver,
    store: Path,
) -> None:
    result = farthing(
        "python",
        "app.py",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.url}/v1/traces",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_SERVICE_NAME="mine",
    )
    assert result.stdout == SAID
    assert costs(store) == billed(simulator)
    assert_sent(collected, simulator, "mine")
    assert collected.points == []
    assert b"export" not in result.stderr  # nothing went to the default endpoint


CONFIG = """
file_format: "1.0"
resource:
  attributes: [{{name: service.name, value: from-file}}]
tracer_provider:
  processors: [{{simple: {{exporter: {{otlp_http: {{endpoint: "{url}/v1/traces"}}}}}}}}]
"""


def test_a_configuration_file(
    farthing: Farthing,
    simulator: Simulator,
    collected: Collected,
    receiver: Receiver,
    tmp_path: Path,
    store: Path,
) -> None:
    (tmp_path / "otel.yaml").write_text(CONFIG.format(url=receiver.url))
    result = farthing("python", "app.py", OTEL_CONFIG_FILE=str(tmp_path / "otel.yaml"))
    assert result.stdout == SAID
    assert costs(store) == billed(simulator)
    assert_sent(collected, simulator, "from-file")


IN_CODE = """
import os
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider(resource=Resource({"service.name": "in-code"}))
trace.set_tracer_provider(provider)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(os.environ["MINE"])))
with trace.get_tracer("application").start_as_current_span("work"):
    exec(open("app.py").read())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["", "import farthing; farthing.instrument()", "farthing.instrument(provider)"]
)
def test_a_provider_of_the_programs_own(
    farthing: Farthing,
    simulator: Simulator,
    collected: Collected,
    receiver: Receiver,
    tmp_path: Path,
    store: Path,
    line: str,
) -> None:
    program = IN_CODE.replace("with trace", f"{line}\nwith trace")
    if "(provider)" in line:  # it is the global one no more
        program = program.replace("trace.set_tracer_provider(provider)", "import farthing")
    (tmp_path / "main.py").write_text(program)
    result = farthing("python", "main.py", MINE=f"{receiver.url}/v1/traces")
    assert (result.returncode, result.stdout) == (0, SAID), result.stderr
    assert costs(store) == billed(simulator)
    assert_sent(collected, simulator, "in-code")
    assert b"for 2 calls." in result.stderr
    assert b"not allowed" not in result.stderr


@pytest.mark.slow
def test_another_sitecustomize_still_runs(
    farthing: Farthing, simulator: Simulator, tmp_path: Path, store: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text(
        "import sys\nif sys.orig_argv[1:] == ['app.py']:\n    print('theirs')"
    )
    path = os.pathsep.join([str(tmp_path / "theirs"), os.environ.get("PYTHONPATH", "")])
    result = farthing("python", "app.py", PYTHONPATH=path)
    assert result.stdout == b"theirs\n" + SAID
    assert costs(store) == billed(simulator)


@pytest.mark.slow
def test_opentelemetry_instrument_below_it(
    farthing: Farthing, simulator: Simulator, store: Path
) -> None:
    result = farthing(
        BIN / "opentelemetry-instrument",
        "python",
        "app.py",
        **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
    )
    assert result.stdout == SAID
    assert costs(store) == billed(simulator)


@pytest.mark.slow
def test_a_proxy_is_not_for_us(farthing: Farthing, simulator: Simulator, store: Path) -> None:
    result = farthing(
        "python",
        "-c",
        CALL + "call()",
        HTTP_PROXY="http://127.0.0.1:9",
        http_proxy="http://127.0.0.1:9",
        NO_PROXY=simulator.url.removeprefix("http://"),
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_BSP_MAX_QUEUE_SIZE="1",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1",
    )
    assert result.returncode == 0, result.stderr
    assert costs(store) == billed(simulator)


# When nothing came.


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "The program called no model that farthing knows"),
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED turns all telemetry off"),
        (
            {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "requests, farthing"},
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS turns farthing off",
        ),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "OTEL_TRACES_SAMPLER drops every span"),
        ({"OTEL_TRACES_EXPORTER": "nowhere"}, "OpenTelemetry could not be set up"),
    ],
)
def test_why_nothing_came(farthing: Farthing, variables: dict[str, str], says: str) -> None:
    """Whatever is wrong, the program runs."""
    program = "pass" if not variables else CALL + "call()"
    result = farthing("python", "-c", program, **variables)
    assert result.returncode == 0
    (sentence,) = [
        line for line in result.stderr.decode().splitlines() if line.startswith("farthing: ")
    ]
    assert says in sentence


@pytest.mark.slow
def test_a_sampler_of_the_users_own_is_kept_and_said(
    farthing: Farthing, simulator: Simulator, store: Path
) -> None:
    result = farthing(
        "python",
        "-c",
        CALL + "call()",
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0",
    )
    assert result.returncode == 0
    assert (costs(store), len(billed(simulator))) == ([], 1)
    assert b"farthing: OTEL_TRACES_SAMPLER=traceidratio leaves calls out" in result.stderr


@pytest.mark.slow
def test_a_store_that_fails_meanwhile_stops_nothing(farthing: Farthing, store: Path) -> None:
    program = (
        "import sqlite3\n"
        "held = sqlite3.connect(os.environ['FARTHING_STORE'], isolation_level=None)\n"
        "held.execute('BEGIN EXCLUSIVE')\n"
        "call(); print('called'); sys.exit(4)"
    )
    result = farthing("python", "-c", CALL + program)
    assert (result.returncode, result.stdout) == (4, b"called\n")
    assert b"farthing: not all could be stored at once, and some may be lost: " in result.stderr
    assert b"Traceback" not in result.stderr


def test_a_python_without_farthing_is_named(farthing: Farthing, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"
    result = farthing(python, "-c", "print('ran')")
    assert (result.returncode, result.stdout) == (0, b"ran\n")
    (sentence,) = result.stderr.decode().splitlines()
    assert f"{python} has no farthing, or an older one: {python} -m pip install" in sentence


def test_a_call_without_a_price(farthing: Farthing, store: Path) -> None:
    result = farthing("python", "-c", CALL + "call()", FARTHING_GATEWAYS="")
    assert costs(store) == [None]
    assert b"farthing: 1 call.\nNot priced: 1 of 1 call. Unknown is not $0.\n" in result.stderr


# The page while it runs.


def test_the_page_while_it_runs(simulator: Simulator, tmp_path: Path, store: Path) -> None:
    program = CALL + "call(); print('called', flush=True); sys.stdin.read()"
    env = environment(simulator, tmp_path)
    command = (FARTHING, "run", "--ui", "python", "-c", program)
    with started(*command, env=env, cwd=tmp_path) as running:
        url = running.wait_for("http://", "stderr").split()[1]
        running.wait_for("called")
        while not costs(store):
            pass  # within a second
        with urllib.request.urlopen(f"{url}/api/page") as answer:
            view = json.load(answer)
        assert view["total"]["cost"] == f"{sum(billed(simulator)):f}".rstrip("0")
        with urllib.request.urlopen(url) as answer:
            assert b"<html" in answer.read()
        assert running.process.stdin
        running.process.stdin.close()
        assert running.end() == 0
    assert "for 1 call." in running.stderr
    with pytest.raises(OSError, match="refused"):  # its input is no terminal: it ended with it
        urllib.request.urlopen(url)


def test_the_page_stays_for_whoever_sits_at_a_terminal(
    simulator: Simulator, tmp_path: Path
) -> None:
    """The browser is opened where there is a display; the exit code is still the program's."""
    (tmp_path / "browser").write_text('#!/bin/sh\necho "$1" > opened\n')
    (tmp_path / "browser").chmod(0o755)
    env = environment(
        simulator, tmp_path, DISPLAY=":9", BROWSER=str(tmp_path / "browser"), TERM="xterm"
    )
    command = (FARTHING, "run", "--ui", "python", "-c", CALL + "call(); sys.exit(3)")
    with Terminal(*command, env=env, cwd=tmp_path) as terminal:
        url = terminal.wait_for("stays until Ctrl-C").split()[1]
        assert "for 1 call." in terminal.said
        with urllib.request.urlopen(f"{url}/api/page") as answer:
            assert json.load(answer)["total"]["calls"] == 1
        terminal.type(CTRL_C)
        assert terminal.end() == 3
    assert "Traceback" not in terminal.said
    while not (tmp_path / "opened").exists():
        pass  # a browser starts in its own time
    assert (tmp_path / "opened").read_text() in ("", f"{url}\n")
