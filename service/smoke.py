"""Tries a model out in a process of its own before the service depends on it; knows no registry and no cameras.

A runtime is native code: a model can end it with a signal, never answer, or take all memory. There that harms nobody.

`python -m service.smoke FOLDER RUNTIME INPUT_SIZE CPU_S MEMORY_MB` prints one line of JSON, `{"refused": null}` or why.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from footfall.errors import ModelError

if TYPE_CHECKING:
    from footfall.vision.detector import Detector
    from footfall.vision.runtimes import Runtime

CPU_S: Final = 60.0
"""Time that a model may compute before it has answered a few pictures; a busy machine is not its fault."""
_WAIT_TIMES: Final = 10.0
"""Longest wait, in times of that: others compute, too."""
_MEMORY_SHARE: Final = 0.5
_LEAST_MEMORY_MB: Final = 1000.0
_CHECK_PX: Final = (360, 640)
_MOST_ON_NOTHING: Final = 10
"""A detector surely finds nobody on a grey picture; a few finds are a bad model, this many a broken one."""
_TRIES: Final = 3


def check_detector(detector: Detector, *, slowest_s: float) -> float:
    """Try a detector on pictures of nothing and of noise, before any camera depends on it.

    Shape and finiteness of its output were checked when it was loaded.

    Args:
        slowest_s: longest time that one picture may take.

    Returns:
        Seconds for one picture, at best.

    Raises:
        ModelError: it fails, finds a crowd where nobody is, or is too slow.
    """
    name = detector.version.name
    blank = np.full((*_CHECK_PX, 3), 114, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (*_CHECK_PX, 3), np.uint8)
    try:
        on_blank, _ = detector.detect([blank, noise])
        took_s = min(_seconds(detector, noise) for _ in range(_TRIES))
    except Exception as error:  # noqa: BLE001  runtimes raise what they like
        raise ModelError(
            f"model {name!r}: fails on a picture ({type(error).__name__}: {str(error)[:160]}); it is refused"
        ) from None
    sure = int((on_blank.scores >= on_blank.threshold).sum())
    if sure > _MOST_ON_NOTHING:
        raise ModelError(f"model {name!r}: finds {sure} people on an empty grey picture; it is refused")
    if took_s > slowest_s:
        raise ModelError(
            f"model {name!r}: takes {took_s:.2f} s for one picture, at most {slowest_s:.2f} s are of use; it is refused"
        )
    return took_s


def _seconds(detector: Detector, picture: np.ndarray) -> float:
    begin_s = time.monotonic()
    detector.detect([picture])
    return time.monotonic() - begin_s


def try_apart(
    folder: Path,
    *,
    name: str,
    runtime: Runtime,
    input_size: int,
    cpu_s: float = CPU_S,
    memory_mb: float | None = None,
) -> None:
    """Load a model folder and let it look, in another process.

    Args:
        name: of the model, for messages.
        cpu_s: time of one core that it may take.
        memory_mb: that it may take; None for half of what is free, or for a gigabyte of less than two.

    Raises:
        ModelError: it is not what its card says, fails, or ended or outlasted its process.
        OSError: no process could be started, which is not the model's fault.
    """
    if memory_mb is None:
        free_mb = _free_mb()
        # Never more than there is: where a container's memory ends, all of it is ended.
        memory_mb = min(max(_LEAST_MEMORY_MB, _MEMORY_SHARE * free_mb), 0.9 * free_mb)
    command = [sys.executable, "-m", "service.smoke", str(folder), runtime, str(input_size), f"{cpu_s}", f"{memory_mb}"]
    # It needs none of the service's secrets.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FOOTFALL_")}
    try:
        done = subprocess.run(  # noqa: S603  this very file
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=_WAIT_TIMES * cpu_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"model {name!r}: had not answered a few pictures after {_WAIT_TIMES * cpu_s:g} s in a process of its own; "
            "it is refused"
        ) from None
    if done.returncode == -signal.SIGXCPU:
        raise ModelError(
            f"model {name!r}: had not answered a few pictures after {cpu_s:g} s of a core, in a process of its own; it "
            "is refused"
        )
    if done.returncode < 0:
        raise ModelError(
            f"model {name!r}: ended the process in which it was tried out ({_signal_name(-done.returncode)}); it is "
            "refused"
        )
    refused = _answer(done.stdout)
    if refused is None:
        told = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:160]
        raise ModelError(
            f"model {name!r}: the process in which it was tried out failed (status {done.returncode}: {told}); it is "
            "refused"
        )
    if refused:
        raise ModelError(refused)


def _free_mb(cgroup: Path = Path("/sys/fs/cgroup")) -> float:
    """Memory that is free on the machine and in this container, where there is one with a bound."""
    import psutil  # noqa: PLC0415  not needed by the process that tries

    free = float(psutil.virtual_memory().available)
    for bound, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            free = min(free, int((cgroup / bound).read_text()) - int((cgroup / used).read_text()))
        except (OSError, ValueError):  # another version of cgroups, or `max`: no bound
            continue
    return max(0.0, free) / 1e6


def _answer(printed: str) -> str | None:
    """What the process said: why the model is refused, empty where it is not; None where it said nothing."""
    # A runtime may print as well.
    for line in reversed(printed.splitlines()):
        try:
            content: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict) and "refused" in content:
            return str(content["refused"] or "")
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def main(arguments: list[str]) -> int:
    """Try a model out and print what came of it; the process's own end is an answer, too."""
    folder, runtime, input_size, cpu_s, memory_mb = arguments
    second = math.ceil(float(cpu_s))
    # Also when whoever asked is gone meanwhile.
    resource.setrlimit(resource.RLIMIT_CPU, (second, second + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (int(float(memory_mb) * 1e6),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # where memory ends all the same, this process is ended and no other
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    from footfall.vision.detector import load_detector  # noqa: PLC0415  within the limits

    refused: str | None = None
    try:
        detector = load_detector(Path(folder), runtime=cast("Runtime", runtime), threads=1, input_size=int(input_size))
        check_detector(detector, slowest_s=math.inf)
    except ModelError as error:
        refused = str(error)
    except Exception as error:  # noqa: BLE001  a runtime's exceptions have no common base
        told = str(error).strip().replace("\n", " ")[:160]
        refused = f"model {Path(folder).name!r}: cannot be loaded ({type(error).__name__}: {told}); it is refused"
    print(json.dumps({"refused": refused}))  # noqa: T201  the answer
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
