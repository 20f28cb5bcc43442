"""Asks an RTSP camera who it is before libav does, so that no redirect is followed; knows nothing of video.

libav follows an RTSP 3xx answer to any host and sends the camera's password there, and that cannot be switched off.
So the first two requests are made here without credentials, and an answer that leads elsewhere is refused.
The limit: a camera that redirects only once it has seen the password, only on SETUP, or only the second time, is not
caught; let such machines reach nothing but the cameras' network.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from footfall.errors import RedirectRefusedError, SourceError, StalledError
from footfall.redaction import redact_url, split_userinfo

if TYPE_CHECKING:
    from service.clock import Clock

_MOST_BYTES: Final = 65_536
_DEFAULT_PORTS: Final = {"rtsp": 554, "rtsps": 322}


class UnreachableError(SourceError):
    """Nothing answers at the camera's address.

    Attributes:
        reason: a value of `service.metrics.RECONNECT_REASONS`.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def refuse_redirects(url: str, *, timeout_s: float, clock: Clock) -> socket.socket:
    """Connect to an `rtsp://` or `rtsps://` camera, ask OPTIONS and DESCRIBE without a password, and look for a 3xx.

    Any other answer, 401 among them, is left to whoever opens the camera.

    Args:
        timeout_s: for all of it together.

    Returns:
        The connection, to be closed once the camera is open: some servers build the stream for DESCRIBE, tear it down
        when the asker hangs up, and answer 503 meanwhile.

    Raises:
        UnreachableError: no connection.
        StalledError: connected, and no answer in time.
        RedirectRefusedError: the camera leads to another host or port.
    """
    bare, _ = split_userinfo(url)
    target = _endpoint(bare)
    if target is None:
        raise SourceError(f"{redact_url(url)}: no host and port can be read from it; expected rtsp://host[:port]/path")
    deadline_s = clock.monotonic() + timeout_s
    shown = f"{target[0]}:{target[1]}"
    fault: SourceError | None = None
    try:
        connection = _connect(bare, target, timeout_s)
    except TimeoutError:
        fault = UnreachableError(f"{shown}: no connection within {timeout_s:g} s", "timeout")
    except ConnectionRefusedError:
        fault = UnreachableError(f"{shown}: connection refused; nothing listens there", "refused")
    except OSError as error:  # no route, no such name, TLS; the system's texts hold no URL
        fault = UnreachableError(f"{shown}: cannot be reached ({error.strerror or type(error).__name__})", "error")
    if fault is not None:  # raised here, so that no system error hangs on to it
        raise fault
    try:
        _ask_without_password(_Conversation(connection, shown, deadline_s, clock), bare, target, shown)
    except BaseException:
        connection.close()
        raise
    return connection


def _ask_without_password(conversation: _Conversation, url: str, target: tuple[str, int], shown: str) -> None:
    for method in ("OPTIONS", "DESCRIBE"):
        status, location = conversation.ask(method, url)
        if status is None:
            return
        if 300 <= status < 400 and _endpoint(location) != target:
            raise RedirectRefusedError(
                f"{shown}: answers {status} and leads to another address ({redact_url(location)[:200]!r}); "
                "followed, the password would go there too; give the final address if you trust it"
            )


def _endpoint(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(split_userinfo(url)[0])
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme.lower())
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    return parts.hostname.lower(), port


def _connect(url: str, target: tuple[str, int], timeout_s: float) -> socket.socket:
    connection = socket.create_connection(target, timeout=timeout_s)
    if not url.lower().startswith("rtsps:"):
        return connection
    # Cameras sign their own certificates; no secret is sent here, and libav does its own handshake.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(connection, server_hostname=target[0])
    except BaseException:
        connection.close()
        raise


class _Conversation:
    """Requests and answers on one connection, with one deadline for all of them."""

    def __init__(self, connection: socket.socket, shown: str, deadline_s: float, clock: Clock) -> None:
        self._connection = connection
        self._shown = shown
        self._deadline_s = deadline_s
        self._clock = clock
        self._number = 0
        self._unread = b""

    def ask(self, method: str, url: str) -> tuple[int | None, str]:
        """Return status and `Location`; status None when the camera hung up or talks no RTSP."""
        self._number += 1
        request = f"{method} {url} RTSP/1.0\r\nCSeq: {self._number}\r\nAccept: application/sdp\r\n"
        request += "User-Agent: Footfall\r\n\r\n"
        try:
            self._connection.sendall(request.encode())
            answer = self._read_answer()
        except TimeoutError:
            answer = None
        except OSError:  # hung up
            answer = b""
        if answer is None:  # raised here, so that no system error hangs on to it
            raise StalledError(f"{self._shown}: connected, but {method} was not answered in time")
        first, _, rest = answer.decode("latin-1").partition("\r\n")
        protocol, _, status = first.partition(" ")
        if not protocol.startswith("RTSP/") or not status[:3].isdecimal():
            return None, ""
        return int(status[:3]), _headers(rest).get("location", "")

    def _read_answer(self) -> bytes:
        """Return an answer's lines and pass over its body; empty when the camera hung up or sends too much."""
        while b"\r\n\r\n" not in self._unread:
            if not self._receive():
                return b""
        answer, _, self._unread = self._unread.partition(b"\r\n\r\n")
        length = _headers(answer.decode("latin-1")).get("content-length", "0")
        body_bytes = int(length) if length.isdecimal() else 0
        while len(self._unread) < body_bytes:
            if not self._receive():
                break  # nothing can be asked any more, but this answer counts
        self._unread = self._unread[body_bytes:]
        return answer

    def _receive(self) -> bool:
        self._connection.settimeout(max(self._deadline_s - self._clock.monotonic(), 0.001))
        received = self._connection.recv(4096)
        self._unread += received
        return bool(received) and len(self._unread) <= _MOST_BYTES


def _headers(lines: str) -> dict[str, str]:
    fields = (line.partition(":") for line in lines.split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in fields}
