"""Starts `cameras.py` and commands it from a test; the server is another process, so its faults are real."""

from __future__ import annotations

import json
import select
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

_SCRIPT: Final = Path(__file__).with_name("cameras.py")
_START_S: Final = 30.0
_ANSWER_S: Final = 10.0


class RtspServer:
    """A real RTSP server on loopback; each mount plays a clip for ever. Use it in a `with` block.

    Args:
        clips: (mount, path of an H.264 film) pairs, a mount as in `/gate`; or (mount, path, frames a second).
        port: 0 takes a free one.
        auth: how passwords of protected mounts are asked for.
    """

    def __init__(
        self,
        clips: Sequence[tuple[str, Path] | tuple[str, Path, float]],
        *,
        port: int = 0,
        auth: Literal["basic", "digest"] = "digest",
    ) -> None:
        self._clips = list(clips)
        self._auth = auth
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server and wait until it listens; after `kill` it comes back on the same port."""
        mounts = [
            {"mount": clip[0], "clip": str(clip[1]), "fps": clip[2] if len(clip) > 2 else None} for clip in self._clips
        ]
        settings = {"port": self.port, "auth": self._auth, "mounts": mounts}
        self._process = subprocess.Popen(
            ["/usr/bin/python3", str(_SCRIPT), json.dumps(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.port = int(self._answer(_START_S)["ready"])

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._running().pid

    def url(self, mount: str, user: str | None = None, password: str | None = None) -> str:
        """Return the mount's address; user and password percent-encoded."""
        userinfo = "" if user is None else f"{quote(user, safe='')}:{quote(password or '', safe='')}@"
        return f"rtsp://{userinfo}127.0.0.1:{self.port}{mount}"

    def freeze(self, mount: str) -> None:
        """Send no more pictures; the session and its RTCP reports go on."""
        self.command("freeze", mount)

    def resume(self, mount: str) -> None:
        """Send pictures again."""
        self.command("resume", mount)

    def remove(self, mount: str) -> None:
        """Answer 404 from now on; whoever looks already goes on looking (see `drop`)."""
        self.command("remove", mount)

    def restore(self, mount: str) -> None:
        """Take `remove` back."""
        self.command("restore", mount)

    def corrupt(self, mount: str) -> None:
        """Break about 2 % of the bytes of each picture."""
        self.command("corrupt", mount)

    def heal(self, mount: str) -> None:
        """Take `corrupt` back."""
        self.command("heal", mount)

    def protect(self, mount: str, user: str, password: str) -> None:
        """Let only this user look; who looks already goes on looking (see `drop`)."""
        self.command("protect", mount, user=user, password=password)

    def unprotect(self, mount: str) -> None:
        """Let everybody look."""
        self.command("unprotect", mount)

    def drop(self) -> None:
        """Hang up on every client."""
        self.command("drop")

    def sent(self, mount: str) -> int:
        """Return the number of pictures sent on a mount so far."""
        return int(self.command("sent", mount)["sent"])

    def connections(self) -> int:
        """Return how often a client has connected so far."""
        return int(self.command("stats")["connections"])

    def pause(self) -> None:
        """Stop the whole process (SIGSTOP): connections stay open and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def proceed(self) -> None:
        """Take `pause` back (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(_ANSWER_S)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def command(self, verb: str, mount: str | None = None, **values: str) -> dict[str, Any]:
        """Send a command and return its answer."""
        process = self._running()
        assert process.stdin is not None
        line = json.dumps({"do": verb, "mount": mount, **values})
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        answer = self._answer(_ANSWER_S)
        if "error" in answer:
            raise RuntimeError(f"RTSP server: {answer['error']}")
        return answer

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        process = self._running()
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], timeout_s)[0]:
            self.kill()
            raise RuntimeError(f"RTSP server: no answer within {timeout_s:g} s")
        line = process.stdout.readline()
        if not line:
            self.kill()
            raise RuntimeError("RTSP server: ended; its reason stands on standard error")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("RTSP server: not running; call start()")
        return self._process
