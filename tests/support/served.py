"""Runs the real `footfall serve`, or `up`, in a process of its own and asks it over HTTP."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
FOOTAGE_DIR = Path(os.environ.get("FOOTFALL_TEST_DATA", ROOT.parent / "shared" / "data"))


class Served:
    """A running service; use as a context manager.

    Args:
        cameras: as in a site file.
        model: pins it; None: the registry is followed.
        command: `serve` or `up`.
        settings: FOOTFALL_* without the prefix.
    """

    def __init__(
        self,
        folder: Path,
        cameras: list[dict[str, Any]],
        model: Path | str | None,
        *,
        command: str = "serve",
        **settings: object,
    ) -> None:
        self.folder = folder
        self._command = command
        self.log: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "site.yaml").write_text(yaml.safe_dump({"site": "test", "cameras": cameras}), encoding="utf-8")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")},
            "FOOTFALL_DATA_DIR": str(folder / "data"),
            **({} if model is None else {"FOOTFALL_MODEL": str(model)}),
            "FOOTFALL_PORT": "0",
            # As a fresh set-up has it; which runtime is faster is a matter of the machine.
            "FOOTFALL_RUNTIME": "onnxruntime",
            **{f"FOOTFALL_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            # A service that did not start in time must not run on beside the next tests.
            self.kill()
            print("\n".join(self.log[-40:]), file=sys.stderr)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if error is not None:
            print("\n".join(self.log[-40:]), file=sys.stderr)

    def start(self) -> None:
        """Start the process and wait for its address."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", self._command, "--config", str(self.folder / "site.yaml")],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        addresses: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, addresses), daemon=True).start()
        self.url = addresses.get(timeout=60)
        self.wait_for(self._answers, 20)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/readyz"))
        except OSError:
            return False

    def _read(self, process: subprocess.Popen[str], addresses: queue.Queue[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line.rstrip())
            if '"page"' in line:
                addresses.put(json.loads(line)["page"])
        process.stderr.close()

    def get(self, path: str) -> Any:
        """JSON of an API path."""
        return json.loads(self.get_text(path))

    def post(self, path: str, **body: Any) -> Any:
        """JSON that an API path answers."""
        request = urllib.request.Request(
            f"{self.url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def get_text(self, path: str) -> str:
        """Text of a path."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def live(self, camera_id: str) -> dict[str, Any]:
        """What a camera shows now."""
        found: dict[str, Any] = self.get(f"/api/v1/cameras/{camera_id}/live")
        return found

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> float:
        """Wait until something is so; returns after how many seconds."""
        begin_s = time.monotonic()
        while not is_so():
            if time.monotonic() - begin_s > timeout_s:
                raise TimeoutError(f"not within {timeout_s:g} s")
            time.sleep(0.1)
        return time.monotonic() - begin_s

    def terminate(self, timeout_s: float = 15.0) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
