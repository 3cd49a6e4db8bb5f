"""A TCP proxy that injects faults: cut, refuse, stall, delay, cut after N bytes or at a pattern.

One thread for each direction of each connection; every fault can be changed while it runs.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

CHUNK = 65_536
LOOK = 0.05


@dataclass(slots=True, kw_only=True)
class Cut:
    """A cut armed for the moment when bytes pass.

    ``pattern`` (bytes sent by the client) or ``after`` (bytes from the client, counted from then
    on) trips it. ``deliver``: whether the server still gets the bytes that tripped it; with True
    the client loses only the answer, as between COMMIT and its answer. ``times``: how often.
    ``count`` says how often it has tripped.
    """

    pattern: bytes = b""
    after: int | None = None
    deliver: bool = True
    times: int = 1
    count: int = 0
    every: int = 1
    seen: int = 0


class _Link:
    """One connection through the proxy; whoever finds ``dead`` set passes nothing on."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.dead = threading.Event()
        self.closed = threading.Event()


class Proxy:
    """Listens on 127.0.0.1:``port`` and passes everything on to ``target``."""

    def __init__(self, target: tuple[str, int], *, port: int = 0) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._flow = threading.Event()
        self._flow.set()
        self._refusing = False
        self._delay = 0.0
        self._cut: Cut | None = None
        self._closed = False
        self.connections = 0
        self.bytes = 0
        threading.Thread(target=self._accept, name=f"proxy-{self.port}", daemon=True).start()

    def cut(self) -> int:
        """Resets every connection now; gives how many there were."""
        with self._lock:
            links = tuple(self._links)
        for link in links:
            link.dead.set()
        for link in links:
            link.closed.wait(2)
        return len(links)

    def refuse(self) -> None:
        """Resets every connection, and each new one at once, until :meth:`restore`."""
        self._refusing = True
        self.cut()

    def stall(self) -> None:
        """Keeps connections open and passes nothing, until :meth:`restore`."""
        self._flow.clear()

    def delay(self, seconds: float) -> None:
        """Holds every chunk back for so long."""
        self._delay = seconds

    def arm(self, cut: Cut) -> Cut:
        """Arms a cut; the same object counts how often it tripped."""
        with self._lock:
            self._cut = cut
        return cut

    def restore(self) -> None:
        """Ends refusing, stalling, delaying and any armed cut."""
        self._refusing = False
        self._delay = 0.0
        with self._lock:
            self._cut = None
        self._flow.set()

    def close(self) -> None:
        """Ends the proxy."""
        self._closed = True
        self._flow.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self._refusing:
                _reset(client)
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(client, server)
        with self._lock:
            self._links.add(link)
        back = threading.Thread(target=self._pump, args=(link, server, client), daemon=True)
        back.start()
        self._pump(link, client, server, watched=True)
        back.join()
        with self._lock:
            self._links.discard(link)
        for end in (client, server):
            _reset(end) if link.dead.is_set() else end.close()
        link.closed.set()

    def _pump(
        self, link: _Link, source: socket.socket, sink: socket.socket, *, watched: bool = False
    ) -> None:
        try:
            while data := self._receive(link, source):
                while not self._flow.wait(LOOK) and not link.dead.is_set():
                    pass
                if self._delay:
                    time.sleep(self._delay)
                if link.dead.is_set():
                    return
                self.bytes += len(data)
                cut = self._watch(data) if watched else None
                if cut is not None:
                    link.dead.set()
                    if cut.deliver:
                        _deliver(sink, data)
                    return
                sink.sendall(data)
        except OSError:
            link.dead.set()
        finally:
            if not link.dead.is_set():
                with contextlib.suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)

    @staticmethod
    def _receive(link: _Link, source: socket.socket) -> bytes:
        while not link.dead.is_set():
            if select.select([source], [], [], LOOK)[0]:
                return source.recv(CHUNK)
        return b""

    def _watch(self, data: bytes) -> Cut | None:
        with self._lock:
            cut = self._cut
            if cut is None or cut.count >= cut.times:
                return None
            if cut.after is not None:
                cut.after -= len(data)
                hit = cut.after <= 0
                cut.after = 0 if hit else cut.after
            else:
                hit = bool(cut.pattern) and cut.pattern in data
            if not hit:
                return None
            cut.seen += 1
            if cut.seen % cut.every:
                return None
            cut.count += 1
            return cut


def _deliver(server: socket.socket, data: bytes) -> None:
    """Sends what tripped the cut, and gives the server the time to act on it."""
    server.sendall(data)
    select.select([server], [], [], 2)


def _reset(end: socket.socket) -> None:
    """Closes with RST, as a cut cable or a killed peer would."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        end.close()


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A running proxy to 127.0.0.1:``port``."""
    proxy = Proxy(("127.0.0.1", port))
    try:
        yield proxy
    finally:
        proxy.close()
