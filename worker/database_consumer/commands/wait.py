"""`wait`: until Kafka, database and cache are truly ready."""

from __future__ import annotations

import argparse

from database_consumer.commands.output import SETTING_HELP, complain, say, settings_with_logs
from database_consumer.readiness import (
    DatabaseProbe,
    KafkaProbe,
    Moment,
    Outcome,
    Probe,
    RedisProbe,
    wait_ready,
)
from database_consumer.settings import Settings
from database_consumer.stores.base import Store, StoreUnavailable

_NO_TABLES = ("no such table", "doesn't exist", "1146")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long."""
    parser.add_argument(
        "--timeout", type=_seconds, default=120.0, metavar="S", help="seconds (default 120)"
    )
    parser.epilog = SETTING_HELP


def run(options: argparse.Namespace) -> int:
    """0 when all are ready; 1, naming what is not."""
    settings = settings_with_logs()
    probes = _probes(settings)
    report = wait_ready(probes, timeout=options.timeout, tell=_tell)
    for probe in probes:
        probe.close()
    if report.ready:
        say(f"ready after {report.seconds:.1f} s: {', '.join(report.last)}")
        return 0
    for service, answer in report.missing.items():
        say(f"{service}: {answer.outcome}: {answer.why}")
        if answer.mend:
            say(f"  {answer.mend}")
    complain(f"not ready after {report.seconds:.1f} s")
    for moment in report.timeline:
        complain(
            f"  {moment.at:7.1f} s  {moment.service}: {moment.answer.outcome}"
            f"{': ' + moment.answer.why if moment.answer.why else ''}"
        )
    return 1


def _probes(settings: Settings) -> list[Probe]:
    from database_consumer.sources.kafka import client_config
    from database_consumer.starting import store_maker

    store = store_maker(settings)()
    probes: list[Probe] = [
        KafkaProbe(
            client_config(settings),
            topics=(settings.topic_db_operations, settings.topic_dead_letters),
            group=settings.kafka_group_id,
        ),
        DatabaseProbe(ping=lambda: _can_write(store), end=store.close),
    ]
    if settings.redis is not None:
        tls = settings.redis_ssl_ca if settings.redis.startswith("rediss://") else None
        probes.append(
            RedisProbe(url=settings.redis, options={"ssl_ca_certs": str(tls)} if tls else {})
        )
    return probes


def _can_write(store: Store) -> None:
    """A ping; a database without the worker's tables is ready too: the worker makes them."""
    store.open()
    try:
        store.ping()
    except StoreUnavailable as error:
        if not any(words in str(error) for words in _NO_TABLES):
            raise


def _tell(moment: Moment) -> None:
    answer = moment.answer
    word = "ready" if answer.outcome is Outcome.READY else f"{answer.outcome}: {answer.why}"
    complain(f"{moment.at:6.1f} s  {moment.service}: {word}")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:  # noqa: PLR2004 -- eleven days is for ever
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return value
