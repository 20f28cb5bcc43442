"""Launchers run a request once, within limits, and know how it ended; real processes and a real receiver."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.requests import make_request

from footfall.domain import RetrainRequest
from monitoring.launchers import Ended, LaunchError
from monitoring.launchers.process import ProcessLauncher
from monitoring.launchers.webhook import WebhookLauncher, sign

NOW = datetime.now(UTC)
SECRET = "0123456789abcdef0123456789abcdef"


def buried(runs: ProcessLauncher, wanted: RetrainRequest) -> bool:
    """Whether its supervisors are over."""
    return runs.poll(wanted) is not None and not runs._supervisors


def launcher(tmp_path: Path, code: str, *, deadline_s: float = 60, memory_mb: float = 500) -> ProcessLauncher:
    """`code` may use `about`, what the request says, and `out`, a file to write into."""
    script = tmp_path / "train.py"
    lead = f"import json, sys, time\nabout = json.load(open(sys.argv[2]))\nout = open({str(tmp_path / 'out')!r}, 'a')\n"
    script.write_text(lead + code)
    command = [sys.executable, str(script)]
    return ProcessLauncher(tmp_path / "runs", command, deadline_s=deadline_s, memory_mb=memory_mb)


def end_of(runs: ProcessLauncher, wanted: RetrainRequest, timeout_s: float = 40.0) -> Ended:
    deadline_s = time.monotonic() + timeout_s
    while (end := runs.poll(wanted)) is None or runs._supervisors:
        assert time.monotonic() < deadline_s, "it did not end in time"
        time.sleep(0.05)
    return end


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit(0)", Ended("promoted", "exit status 0")),
        ("print('gate G2: 94.1 %'); sys.exit(42)", Ended("rejected", "exit status 42: gate G2: 94.1 %")),
        ("sys.exit(43)", Ended("insufficient_labels", "exit status 43")),
        ("raise SystemExit('no disk')", Ended("failed", "exit status 1: no disk")),
    ],
)
def test_the_exit_status_says_how_it_ended(tmp_path: Path, code: str, expected: Ended) -> None:
    wanted, runs = make_request(), launcher(tmp_path, code)
    handle = runs.launch(wanted)
    assert Path(str(handle["folder"])).is_dir()
    assert end_of(runs, wanted) == expected


def test_it_is_told_what_is_wanted_and_has_little_priority(tmp_path: Path) -> None:
    wanted = make_request(slice="gate,hall")
    runs = launcher(tmp_path, "import os; json.dump({**about, 'nice': os.nice(0)}, out)")
    runs.launch(wanted)
    end_of(runs, wanted)
    said = json.loads((tmp_path / "out").read_text())
    assert said.pop("nice") >= 15
    assert said == {
        "id": wanted.id,
        "site": "mall",
        "cause": "fog",
        "cameras": ["gate", "hall"],
        "champion": "0123456789ab",
        "reason": "fog since Monday",
    }


def test_launched_again_it_runs_once_also_after_a_restart(tmp_path: Path) -> None:
    wanted = make_request()
    code = "out.write('ran '); out.flush(); time.sleep(2)"
    runs = launcher(tmp_path, code)
    runs.launch(wanted)
    runs.launch(wanted)
    wait_until(lambda: (tmp_path / "out").exists() and "ran" in (tmp_path / "out").read_text())
    restarted = launcher(tmp_path, code)
    restarted.launch(wanted)
    assert restarted.poll(wanted) is None
    assert end_of(restarted, wanted).outcome == "promoted"
    restarted.launch(wanted)
    wait_until(lambda: buried(runs, wanted) and buried(restarted, wanted))
    assert (tmp_path / "out").read_text() == "ran "


def test_one_that_takes_too_long_or_too_much_is_ended_with_its_children(tmp_path: Path) -> None:
    child = "import subprocess\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(77)'])\n"
    wanted, runs = make_request(), launcher(tmp_path, child + "time.sleep(60)", deadline_s=1)
    runs.launch(wanted)
    assert end_of(runs, wanted) == Ended("failed", "took longer than 1 s")
    assert [
        p for p in psutil.process_iter(["cmdline"]) if "import time; time.sleep(77)" in (p.info["cmdline"] or [])
    ] == []
    wanted, runs = make_request(), launcher(tmp_path, "much = bytearray(300_000_000); time.sleep(60)", memory_mb=200)
    runs.launch(wanted)
    end = end_of(runs, wanted)
    assert (end.outcome, end.note.split("; ")[1]) == ("failed", "200 MB are allowed")


def test_one_that_nobody_wants_any_more_ends(tmp_path: Path) -> None:
    wanted, runs = make_request(), launcher(tmp_path, "out.write('x'); out.flush(); time.sleep(60)")
    runs.launch(wanted)
    wait_until((tmp_path / "out").exists)
    assert runs.poll(wanted) is None
    runs.cancel(wanted)
    assert end_of(runs, wanted) == Ended("cancelled", "as somebody wanted")


def test_one_whose_supervisor_was_killed_has_failed(tmp_path: Path) -> None:
    wanted, runs = make_request(), launcher(tmp_path, "time.sleep(5)")
    folder = Path(str(runs.launch(wanted)["folder"]))
    wait_until((folder / "started.json").exists)
    (supervisor,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "monitoring.supervise" in (process.info["cmdline"] or []) and str(folder) in process.info["cmdline"]
    ]
    supervisor.kill()
    assert end_of(runs, wanted).note == "its supervisor is gone; the machine or somebody ended it"


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    wanted = make_request()
    runs = ProcessLauncher(tmp_path, ["no-such-command"], deadline_s=9, memory_mb=100)
    runs.launch(wanted)
    assert end_of(runs, wanted) == Ended("failed", "no-such-command cannot be run (No such file or directory)")


class Receiver:
    """Takes what is posted to it."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 202
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://user:geheim@127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    made.url = made.url.replace("user:geheim@", "")
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_webhook_gets_the_request_signed_and_a_repeat_has_the_same_id(receiver: Receiver) -> None:
    wanted = make_request(slice="gate,hall")
    hook = WebhookLauncher(receiver.url, SECRET, deadline_s=60)
    for _ in range(2):
        assert hook.launch(wanted) == {"webhook": wanted.id}
    hook.cancel(wanted)
    (first, body), (second, _), (third, last) = receiver.got
    assert first["webhook-id"] == second["webhook-id"] != third["webhook-id"]
    for headers, content in receiver.got:
        signature = sign(SECRET, headers["webhook-id"], headers["webhook-timestamp"], content)
        assert headers["webhook-signature"] == signature
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    said = json.loads(body)
    assert (said["type"], said["data"]["id"], said["data"]["cameras"]) == (
        "retrain.requested",
        wanted.id,
        ["gate", "hall"],
    )
    assert json.loads(last)["type"] == "retrain.cancelled"


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """Worked out with openssl: printf 'a.1.{}' | openssl dgst -sha256 -hmac key -binary | base64."""
    assert sign("key", "a", "1", b"{}") == "v1,bL1jQXV9xdvhtjVTxMVmcec+7wicDeM5+UJZVhyrJw0="


@pytest.mark.parametrize("status", [302, 400, 500])
def test_a_receiver_that_does_not_take_it_is_told_and_asked_again(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(LaunchError, match=f"the webhook answered {status}, expected 2xx") as told:
        WebhookLauncher(receiver.url, SECRET, deadline_s=60).launch(make_request())
    assert receiver.url not in str(told.value)
    assert len(receiver.got) == 1


def test_a_webhook_of_which_nothing_is_heard_has_failed_after_the_deadline() -> None:
    hook = WebhookLauncher("http://127.0.0.1:1/", SECRET, deadline_s=60)
    now = datetime.now(UTC)
    assert hook.poll(make_request(launched_at=now)) is None
    late = hook.poll(make_request(launched_at=now - timedelta(minutes=2)))
    assert late == Ended("failed", "nobody told its end within 60 s")
    with pytest.raises(LaunchError, match="gave no answer"):
        hook.launch(make_request())
