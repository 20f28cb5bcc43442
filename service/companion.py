"""Runs another program of Footfall beside this one and starts it again when it ends; knows nothing of what it does."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.backoff import Backoff

_log = structlog.get_logger(__name__)
EXIT_BAD_SETTINGS: Final = 2
"""The program will not work until somebody changes a setting: it is not started again."""


class Companion:
    """Another program, kept running while this one runs; it logs where this one logs.

    Its standard input is a pipe that nothing is written to: the program must end when the pipe does, so that nothing of
    it stays even when this process is killed. It has a session of its own, so Ctrl-C reaches this process alone.

    Args:
        name: for the log.
        command: program and arguments; may hold no secret, as others see them.
        backoff: how long it is left alone after it ended.
    """

    def __init__(self, name: str, command: Sequence[str], backoff: Backoff) -> None:
        self._name = name
        self._command = list(command)
        self._backoff = backoff
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the program."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Let it end, and make it end when it does not; tells whether it ended by itself."""
        self._stopping.set()
        with self._lock:
            process = self._process
        ended = True
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                ended = False
                process.kill()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return ended

    def _run(self) -> None:
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                status = self._run_once()
            except OSError as error:
                status = None
                _log.error("could not be started", program=self._name, error=str(error))
            if self._stopping.is_set():
                return
            if status == EXIT_BAD_SETTINGS:
                _log.error("refused its settings and is not started again", program=self._name)
                return
            now_s = time.monotonic()
            self._backoff.succeeded(now_s - began_s)
            wait_s = self._backoff.after_failure(now_s)
            _log.error("ended; it is started again", program=self._name, status=status, wait_s=round(wait_s, 1))
            self._stopping.wait(wait_s)

    def _run_once(self) -> int | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603
        status = self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        return status
