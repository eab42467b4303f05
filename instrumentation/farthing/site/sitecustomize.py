"""What each Python that ``farthing run`` starts runs first: it has its calls recorded.

Any Python may come by, one without farthing or an older one too: so nothing here is new.
"""

import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def _start() -> None:
    before = os.environ.get("PYTHONPATH", "")
    # A program that OpenTelemetry starts while it is set up must not set it up again, and so on.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        path for path in before.split(os.pathsep) if path != HERE
    )
    try:
        from farthing.under_run import start

        state = "ready" if start() else "off"
    except ImportError:
        state = "missing"
    except Exception:
        state = "off"
    os.environ["PYTHONPATH"] = before
    try:
        with open(os.environ["FARTHING_RUN_REPORT"], "a") as report:
            report.write(sys.executable + "\t" + state + "\n")
    except (KeyError, OSError):
        pass


def _hidden() -> None:
    """Run the ``sitecustomize`` that Python would have found without us."""
    sys.path[:] = [path for path in sys.path if path != HERE]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours


try:
    _hidden()
finally:
    _start()
