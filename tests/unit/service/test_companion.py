"""A program beside ours: started again when it ends, gone when we are."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from service.backoff import Backoff
from service.companion import Companion

ROOT = Path(__file__).resolve().parents[3]
OBEDIENT = "import sys; open(sys.argv[1], 'a').write('began\\n'); sys.stdin.read()"
STUBBORN = "import sys, time; open(sys.argv[1], 'a').write('began\\n'); time.sleep(60)"


def companion(tmp_path: Path, code: str) -> Companion:
    backoff = Backoff(first_s=0.2, most_s=0.2, auth_ladder_s=(), rng=random.Random(1))
    return Companion("friend", [sys.executable, "-c", code, str(tmp_path / "log")], backoff)


def begun(tmp_path: Path) -> int:
    log = tmp_path / "log"
    return log.read_text().count("began") if log.exists() else 0


def wait_until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.02)


def test_it_ends_with_its_input(tmp_path: Path) -> None:
    friend = companion(tmp_path, OBEDIENT)
    friend.start()
    wait_until(lambda: begun(tmp_path) == 1)
    assert friend.stop(10)
    assert begun(tmp_path) == 1


def test_one_that_does_not_end_is_made_to(tmp_path: Path) -> None:
    friend = companion(tmp_path, STUBBORN)
    friend.start()
    wait_until(lambda: begun(tmp_path) == 1)
    begin_s = time.monotonic()
    assert not friend.stop(0.2)
    assert time.monotonic() - begin_s < 30


def test_it_is_started_again_when_it_ends_but_not_when_its_settings_are_bad(tmp_path: Path) -> None:
    friend = companion(tmp_path, OBEDIENT.replace("sys.stdin.read()", "sys.exit(1)"))
    friend.start()
    wait_until(lambda: begun(tmp_path) >= 3)
    friend.stop(5)
    (tmp_path / "log").unlink()
    friend = companion(tmp_path, OBEDIENT.replace("sys.stdin.read()", "sys.exit(2)"))
    friend.start()
    wait_until(lambda: begun(tmp_path) == 1)
    time.sleep(1)
    assert begun(tmp_path) == 1
    friend.stop(5)


def test_nothing_of_it_stays_when_we_are_killed(tmp_path: Path) -> None:
    """Of a real monitor beside a process that is killed hard."""
    code = (
        "import random, sys, time\n"
        "from service.backoff import Backoff\n"
        "from service.companion import Companion\n"
        "backoff = Backoff(first_s=1, most_s=1, auth_ladder_s=(), rng=random.Random(1))\n"
        "command = [sys.executable, '-m', 'monitoring', 'run', '--with-parent', '--port', '0', '--data-dir']\n"
        "Companion('monitor', [*command, sys.argv[1]], backoff).start()\n"
        "time.sleep(60)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stderr is not None
        assert '"checking"' in parent.stderr.readline()
        running = str(tmp_path)
        assert len(processes_with(running)) == 2
        parent.send_signal(signal.SIGKILL)
        wait_until(lambda: processes_with(running) == [])


def processes_with(argument: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0] if arguments else "Z"
        except OSError:
            continue
        if argument.encode() in arguments and state != "Z":
            found.append(int(entry.name))
    return found
