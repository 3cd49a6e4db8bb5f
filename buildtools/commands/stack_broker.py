"""``buildtools stack broker-id``: who holds the broker's id, waited out, deleted with care."""

from __future__ import annotations

import argparse

from buildtools.errors import CannotLookError, ExitCode
from buildtools.findings import Cause
from buildtools.report import Screen
from buildtools.stack.broker_id import (
    PATH,
    SESSION_SECONDS,
    Registration,
    delete_registration,
    lives,
    registration,
    wait_out,
)
from buildtools.stack.settings import Settings
from buildtools.stack.states import Engine
from buildtools.stack.trouble import StackError
from buildtools.stack.zookeeper import ZooKeeperError, connected


def broker_id(
    args: argparse.Namespace, settings: Settings, engine: Engine, screen: Screen
) -> ExitCode:
    """0 when nobody or the running broker holds the id, 1 when a dead one's session does."""
    try:
        first = found = registration(settings.zookeeper_port)
        stale = found is not None and not _lives(settings, engine, found)
        if first is not None and stale and (args.wait or args.delete):
            _wait_out(settings, first, screen)
            found = registration(settings.zookeeper_port)
            stale = found is not None and not _lives(settings, engine, found)
    except ZooKeeperError as error:
        raise CannotLookError(
            "ZooKeeper does not answer",
            where=f"127.0.0.1:{settings.zookeeper_port}",
            why=str(error),
            next_step="buildtools stack status (KRaft has no ZooKeeper, and no such node)",
        ) from error
    deleted = False
    if args.delete and found is not None and first is not None:
        _delete(settings, first, stale=stale)
        deleted = True
    _show(settings, found, screen, stale=stale, deleted=deleted)
    return ExitCode.NO if stale and not deleted else ExitCode.OK


def _wait_out(settings: Settings, seen: Registration, screen: Screen) -> None:
    """Until the session that was seen has expired, whoever registers after it, or time is up."""

    def look() -> Registration | None:
        now = registration(settings.zookeeper_port)
        return now if now is not None and now.owner == seen.owner else None

    wait_out(look, tell=lambda one: screen.event("kafka", "waiting", f"session 0x{one.owner:x}"))


def _lives(settings: Settings, engine: Engine, found: Registration) -> bool:
    return lives(
        found,
        process=engine.broker_lives,
        session=lambda owner: connected(settings.zookeeper_port, owner),
    )


def _delete(settings: Settings, seen: Registration, *, stale: bool) -> None:
    """Delete what was waited out; a registration that came after it is none of that."""
    if not stale:
        raise StackError(
            f"{PATH} is not deleted",
            cause=Cause.ZOOKEEPER_NODE_EXISTS,
            why="the broker that holds it is alive",
            next_step="nothing is wrong; buildtools stack status",
        )
    delete_registration(settings.zookeeper_port, seen)


def _show(
    settings: Settings,
    found: Registration | None,
    screen: Screen,
    *,
    stale: bool,
    deleted: bool,
) -> None:
    cause = Cause.ZOOKEEPER_NODE_EXISTS if stale and not deleted else None
    if screen.as_json:
        owner = None if found is None else f"0x{found.owner:x}"
        screen.document(
            "stack",
            {
                "action": "broker-id",
                "project": settings.project,
                "path": PATH,
                "held": found is not None and not deleted,
                "stale": stale and not deleted,
                "deleted": deleted,
                "owner": owner,
                "age": None if found is None else round(found.age, 1),
                "endpoints": [] if found is None else list(found.endpoints),
                "cause": cause,
            },
        )
        return
    if found is None:
        screen.line(f"nobody holds {PATH}")
        return
    screen.line(str(found))
    if deleted:
        screen.line("it was deleted")
    elif stale:
        screen.line(
            f"its broker is gone; the session expires {SESSION_SECONDS:.0f} s after its last sign: "
            "buildtools stack broker-id --wait, and only then --delete"
        )
    else:
        screen.line("its broker runs: all is well")
