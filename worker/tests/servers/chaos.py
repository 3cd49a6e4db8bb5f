"""What happens to the servers and the workers while operations flow."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .consumer import ConsumerProcess
from .proxy import Cut, Proxy
from .stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """How often each thing happens at least."""

    workers: int = 20
    mariadb: int = 2
    kafka: int = 1
    redis: int = 1
    cuts: int = 10
    stalls: int = 4
    commits: int = 5

    @property
    def actions(self) -> int:
        """How many things happen in all."""
        return (
            self.workers
            + self.mariadb
            + self.kafka
            + self.redis
            + self.cuts
            + self.stalls
            + self.commits
        )


@dataclass(slots=True)
class Chaos:
    """Runs its dose in a random order in a thread; ``done`` counts what happened."""

    servers: Stack
    workers: list[ConsumerProcess]
    dose: Dose
    seed: int
    pause: tuple[float, float] = (0.3, 1.5)
    done: Counter[str] = field(default_factory=Counter)
    failure: Exception | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins."""
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> None:
        """Until the whole dose was given; everything is whole again then."""
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                self._stop.set()
                self._thread.join(120)
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        chance = random.Random(self.seed)
        actions: list[tuple[str, Callable[[random.Random], None]]] = []
        doses: tuple[tuple[str, int, Callable[[random.Random], None]], ...] = (
            ("worker killed", self.dose.workers, self._kill_worker),
            ("mariadb killed", self.dose.mariadb, self._kill_mariadb),
            ("kafka killed", self.dose.kafka, self._kill_kafka),
            ("redis killed", self.dose.redis, self._kill_redis),
            ("connections cut", self.dose.cuts, self._cut),
            ("stalled", self.dose.stalls, self._stall),
            ("commit cut", self.dose.commits, self._cut_commit),
        )
        for name, count, action in doses:
            actions += [(name, action)] * count
        chance.shuffle(actions)
        try:
            for name, action in actions:
                if self._stop.wait(chance.uniform(*self.pause)):
                    break
                action(chance)
                self.done[name] += 1
        except Exception as error:  # noqa: BLE001 -- the test's own thread raises it again
            self.failure = error
        finally:
            for proxy in self._proxies():
                proxy.restore()
            for worker in self.workers:
                if not worker.program.running:
                    worker.start()

    def _proxies(self) -> tuple[Proxy, ...]:
        servers = self.servers
        return (servers.to_mariadb, servers.to_kafka, servers.to_redis)

    def _kill_worker(self, chance: random.Random) -> None:
        worker = chance.choice(self.workers)
        worker.kill()
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0, 2))
        worker.start()

    def _kill_mariadb(self, _chance: random.Random) -> None:
        self.servers.mariadb.kill()
        self.servers.mariadb.start()

    def _kill_kafka(self, _chance: random.Random) -> None:
        self.servers.kafka.kill()
        self.servers.kafka.start()

    def _kill_redis(self, _chance: random.Random) -> None:
        self.servers.redis.kill()
        time.sleep(0.3)
        self.servers.redis.start()

    def _cut(self, chance: random.Random) -> None:
        chance.choice(self._proxies()).cut()

    def _stall(self, chance: random.Random) -> None:
        proxy = chance.choice(self._proxies())
        proxy.stall()
        time.sleep(chance.uniform(0.5, 3))
        proxy.restore()

    def _cut_commit(self, chance: random.Random) -> None:
        """The next COMMIT arrives, or does not, and nobody hears of it."""
        cut = self.servers.to_mariadb.arm(
            Cut(pattern=b"COMMIT", deliver=chance.random() < 0.7, times=1)
        )
        deadline = time.monotonic() + 3
        while cut.count == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.servers.to_mariadb.restore()
