"""A child process for native code as its client sees it: started, asked one thing at a time, ended.

Knows nothing of what is asked for, nor of the words in which a client tells of a child that failed.
"""

from __future__ import annotations

import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import diffdesk
from diffdesk.core.errors import Cancelled, ProtocolError
from diffdesk.documents.child_pipe import Frame, read_frame, write_frame

_CANCEL_CHECK_SECONDS = 0.05
_LAST_WORDS_SECONDS = 5.0  # writing a core file can take a while
_REPORT_BYTES = 4000


def child_command(module: str, *arguments: str, python: Path | None = None) -> list[str]:
    """The command that starts a child whose ``main`` lies in a module of the program.

    The one place to change for a bundle, where `sys.executable` is the program itself and knows no ``-m``.
    """
    return [str(python or sys.executable), "-m", module, *arguments]


class Child:
    """One child process: its pipes, a thread that reads its answers, and what it wrote to standard error.

    Raises `OSError` where it can't be started.

    Attributes:
        report: the end of what it wrote to standard error, once it has been killed.
    """

    def __init__(self, command: list[str]) -> None:
        self._resources = ExitStack()
        self._errors = self._resources.enter_context(_error_file())
        self._ending = threading.Lock()
        self.report = ""
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError:
            self._resources.close()
            raise
        self._requests = cast("BinaryIO", self.process.stdin)
        self._answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        # A pipe can't be waited for with a time limit on every system, a queue can.
        self._listener = threading.Thread(target=self._listen, name="answers of a child", daemon=True)
        self._listener.start()

    def is_running(self) -> bool:
        return self.process.poll() is None

    def tell(self, frame: Frame) -> None:
        """Send what is not answered."""
        # Whoever died early has said why in its last answer, or left an exit code.
        with suppress(OSError):
            write_frame(self._requests, frame)

    def ask(self, request: Frame, is_cancelled: Callable[[], bool], seconds: float = math.inf) -> Frame | None:
        """The answer, or None if the child ended without one.

        Raises:
            Cancelled: the child was killed because ``is_cancelled`` said so.
            TimeoutError: the child was killed because it had not answered after so many seconds.
        """
        if is_cancelled():
            raise Cancelled
        self.tell(request)
        end = time.monotonic() + seconds
        while True:
            try:
                reply = self._answers.get(timeout=_CANCEL_CHECK_SECONDS)
            except queue.Empty:
                if is_cancelled():
                    self.kill()
                    raise Cancelled from None
                if time.monotonic() > end:
                    self.kill()
                    raise TimeoutError from None
                continue
            if reply is None:
                self._settle()
            return reply

    def kill(self) -> None:
        """Ends the process if it still runs, keeps its report and gives its pipes back; may be called again."""
        with self._ending:
            self.process.kill()
            self.process.wait()
            self._listener.join()
            for stream in (self.process.stdin, self.process.stdout):
                # A request that was not sent yet has nobody to go to.
                with suppress(OSError):
                    if stream is not None:
                        stream.close()
            if not self._errors.closed:
                end = self._errors.seek(0, os.SEEK_END)
                self._errors.seek(max(end - _REPORT_BYTES, 0))
                self.report = self._errors.read().decode("utf-8", "replace").strip()
            self._resources.close()

    def _settle(self) -> None:
        """Lets a process that closed its pipes end with its own exit code, which tells why, before it is killed."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LAST_WORDS_SECONDS)
        self.kill()

    def _listen(self) -> None:
        answers = cast("BinaryIO", self.process.stdout)
        # What can't be understood is as good as dead, and is ended by whoever waits.
        with suppress(ProtocolError, OSError):
            while (frame := read_frame(answers)) is not None:
                self._answers.put(frame)
        self._answers.put(None)


@contextmanager
def _error_file() -> Iterator[BinaryIO]:
    """Where a child writes its errors: a file, for a pipe that nobody reads would block it once it is full."""
    with tempfile.TemporaryFile() as file:
        yield file


def _environment() -> dict[str, str]:
    """The child's environment: it finds this very package, and never modules in the current folder."""
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
    root = Path(diffdesk.__file__).resolve().parent.parent
    if root.name not in {"site-packages", "dist-packages"}:
        others = os.environ.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(root), *([others] if others else [])])
    return environment
