"""`apply`: operations from a file, through the same path, without Kafka."""

from __future__ import annotations

import argparse

from database_consumer.commands.output import (
    SETTING_HELP,
    complain,
    say,
    say_json,
    settings_with_logs,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, and how to end."""
    parser.add_argument("file", metavar="FILE", help="JSON lines, one operation each; - is stdin")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument(
        "--leave-parked",
        action="store_true",
        help="end although operations still wait for their retry; a later run goes on with them",
    )
    parser.epilog = SETTING_HELP


def run(options: argparse.Namespace) -> int:
    """0 when every operation was applied or became a dead letter, with a count of both."""
    from database_consumer.collector import calm_collector
    from database_consumer.commands.signals import Signals
    from database_consumer.sources.file import FileSource
    from database_consumer.starting import redis_cache, store_maker
    from database_consumer.worker import Parts, Worker

    settings = settings_with_logs()
    stores = store_maker(settings)
    look = stores()
    group = settings.kafka_group_id
    source = FileSource(
        options.file, lambda topic, partition: look.position(group, topic, partition)
    )
    worker = Worker(
        settings,
        Parts(
            source=source,
            stores=stores,
            cache=redis_cache(settings),
            until_done=True,
            leave_parked=options.leave_parked,
            gaps=True,
        ),
    )
    signals = Signals(worker.stop, deadline=settings.shutdown_timeout_ms / 1000)
    signals.install()
    calm_collector()
    failure = worker.run()
    signals.done()
    look.close()
    if failure is not None:
        complain(str(failure))
        return 3
    done = worker.counted()
    if options.json:
        say_json(
            {
                "schema": "database-consumer.apply/1",
                "finished": worker.finished,
                "applied": done.applied,
                "duplicates": done.duplicates,
                "dead": done.dead,
                "parked": done.parked,
                "unmatched": done.unmatched,
            }
        )
    else:
        say(
            f"applied {done.applied}, duplicates {done.duplicates}, dead letters {done.dead}"
            + (f", parked {done.parked}" if done.parked else "")
            + (f", without a row {done.unmatched}" if done.unmatched else "")
        )
    return 0 if worker.finished else 130
