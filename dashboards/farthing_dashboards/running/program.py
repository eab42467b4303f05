"""A program that runs under us as if alone: its input, output, signals and exit code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_FROM_KEYBOARD = ("SIGINT", "SIGQUIT")
"""What the terminal sends to all programs in its foreground: it is passed on only otherwise."""

NOT_FOUND = 127
NOT_EXECUTABLE = 126
"""The exit codes that a shell has for these."""


class NotStarted(Exception):
    """A command that could not be started: one sentence, and the exit code for it."""

    def __init__(self, exit_code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run ``command`` to its end; its exit code, or 128 and the number of the signal that ended it.

    Signals that come meanwhile go to the program, and we wait for what it makes of them. Raises
    `NotStarted`.
    """
    early: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def passed_on(number: int, _: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif number not in keyboard or not _in_foreground():
            child.send_signal(number)

    keyboard = _numbers(_FROM_KEYBOARD)
    before = {
        number: signal.signal(number, passed_on)
        for number in (*_numbers(_PASSED_ON), *keyboard)
        # What is ignored stays so, here and there: `nohup farthing run …`.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        child = _started(command, environment)
        for number in early:
            child.send_signal(number)
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _started(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    name = command[0]
    try:
        return subprocess.Popen(command, env=environment, close_fds=False)
    except OSError as error:
        why = error.strerror or str(error)
        found = shutil.which(name) or os.path.exists(name)
        if not found:
            raise NotStarted(
                NOT_FOUND, f"There is no program {name!r}: check its name, or give its path."
            ) from error
        if isinstance(error, FileNotFoundError):
            why = "the program that its first line names is not there"
    except ValueError as error:
        why = str(error)
    raise NotStarted(
        NOT_EXECUTABLE,
        f"{name!r} cannot be executed ({why}): run it with its interpreter, as in "
        f"farthing run python {name}.",
    )


def _numbers(names: Sequence[str]) -> tuple[signal.Signals, ...]:
    """The signals of these names that this platform has."""
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def _in_foreground() -> bool:
    """Whether the terminal's keys reach us, and so the program too: it is in our process group."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
