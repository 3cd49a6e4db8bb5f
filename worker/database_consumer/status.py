"""The status port: `/healthz`, `/readyz`, `/metrics` and `/status`, small and bounded.

GET only, from loopback unless told otherwise; a few requests at a time, each with a deadline, and
nothing that a caller sends is echoed or kept.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from database_consumer.logs import logger
from database_consumer.view import WorkerView

AT_ONCE = 8
REQUEST_SECONDS = 5.0
MAX_PATH = 256

_log = logger("status")


class StatusServer:
    """Serves what ``view`` gives; ``start`` binds, ``port`` says where."""

    def __init__(
        self,
        view: Callable[[], WorkerView],
        registry: CollectorRegistry,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._view = view
        self._registry = registry
        self._address = (host, port)
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port in force; 0 before the start."""
        return self._server.server_address[1] if self._server else 0

    def start(self) -> None:
        """Bind and serve in a thread. Raises `OSError` when the address is taken."""
        self._server = _Server(self._address, _handler(self._answer))
        threading.Thread(
            target=self._server.serve_forever,
            name="status",
            kwargs={"poll_interval": 0.2},
            daemon=True,
        ).start()
        _log.info("status port", host=self._address[0], port=self.port)

    def stop(self) -> None:
        """Close the port."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        view = self._view()
        if path == "/healthz":
            return _json(
                HTTPStatus.OK if view.running else HTTPStatus.SERVICE_UNAVAILABLE,
                {
                    "running": view.running,
                },
            )
        if path == "/readyz":
            status = HTTPStatus.OK if view.ready else HTTPStatus.SERVICE_UNAVAILABLE
            return _json(status, {"ready": view.ready, "waiting": list(waiting(view))})
        if path == "/status":
            return _json(HTTPStatus.OK, view.document())
        return _json(
            HTTPStatus.NOT_FOUND,
            {
                "paths": ["/healthz", "/readyz", "/metrics", "/status"],
            },
        )


def waiting(view: WorkerView) -> tuple[str, ...]:
    """What keeps the worker from applying operations now."""
    out = []
    if not view.running:
        out.append("the worker is not running")
    if not view.database.healthy:
        out.append("database")
    if not view.partitions:
        out.append("kafka: no partition is assigned yet")
    return tuple(out)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 16
    server_address: tuple[str, int]

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a request, eight at most: a further one is closed at once."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the base class does, giving the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no event."""
        del request, client_address
        _log.debug("status request failed", exc_info=True)


def _handler(
    answer: Callable[[str], tuple[HTTPStatus, str, bytes]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = "database-consumer"
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if len(path) > MAX_PATH:
                self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
                return
            status, kind, body = answer(path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
            del format, args

    return Handler


def _json(status: HTTPStatus, document: dict[str, Any]) -> tuple[HTTPStatus, str, bytes]:
    return status, "application/json", json.dumps(document).encode()
