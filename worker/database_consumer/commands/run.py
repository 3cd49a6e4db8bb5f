"""`run`: the worker."""

from __future__ import annotations

import argparse

from database_consumer.commands.output import SETTING_HELP, complain, settings_with_logs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the configuration is the environment."""
    parser.epilog = SETTING_HELP


def run(_options: argparse.Namespace) -> int:
    """Until a signal, 0; or until the source cannot go on, 1."""
    from database_consumer.collector import calm_collector
    from database_consumer.commands.signals import Signals
    from database_consumer.publisher import KafkaLetters
    from database_consumer.sources.kafka import KafkaSource
    from database_consumer.starting import redaction, redis_cache, store_maker
    from database_consumer.status import StatusServer
    from database_consumer.worker import Parts, Worker

    settings = settings_with_logs()
    worker = Worker(
        settings,
        Parts(
            source=KafkaSource(settings),
            stores=store_maker(settings),
            cache=redis_cache(settings),
            letters=KafkaLetters(settings, redact=redaction(settings)),
        ),
    )
    signals = Signals(worker.stop, deadline=settings.shutdown_timeout_ms / 1000)
    signals.install()
    status = None
    if settings.status_port is not None:
        status = StatusServer(
            worker.view,
            worker.metrics.registry,
            host=settings.status_host,
            port=settings.status_port,
        )
        try:
            status.start()
        except OSError as error:
            place = f"STATUS_HOST={settings.status_host} STATUS_PORT={settings.status_port}"
            complain(f"configuration: {place}: {error.strerror}")
            return 2
    calm_collector()
    failure = worker.run()
    if status is not None:
        status.stop()
    signals.done()
    return 1 if failure is not None else 0
