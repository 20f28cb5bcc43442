"""Runs an application on a socket, in this thread or in one of its own; knows nothing of what it serves."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import uvicorn

from footfall.errors import FootfallError

if TYPE_CHECKING:
    from fastapi import FastAPI


class ApiServer:
    """A web server around an application made by `create_app`.

    The socket is bound at once, so the port is known before anything is served.

    Args:
        port: 0 lets the system choose.

    Raises:
        FootfallError: the address cannot be used.
    """

    def __init__(self, app: FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise FootfallError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another FOOTFALL_PORT"
            ) from None
        self.app = app
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=65536,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(config, app.state.services.stopping)
        self._thread = threading.Thread(target=self.run, name="api", daemon=True)

    def run(self) -> None:
        """Serve until `stop`, SIGINT or SIGTERM (the signals only in the main thread)."""
        self._server.run(sockets=[self._socket])

    def start(self, timeout_s: float = 10.0) -> None:
        """Serve in a thread; return when it answers.

        Raises:
            FootfallError: it did not start in time.
        """
        self._thread.start()
        deadline_s = time.monotonic() + timeout_s
        while not self._server.started:
            if time.monotonic() > deadline_s or not self._thread.is_alive():
                raise FootfallError(f"the server at {self.url} did not start within {timeout_s} s")
            time.sleep(0.01)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End every connection and the server; tell whether it ended in time."""
        self._server.should_exit = True
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, stopping: threading.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams must end before the server waits for its connections.
        self._stopping.set()
        await super().shutdown(sockets)
