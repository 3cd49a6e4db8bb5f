"""Kafka's jars (ZooKeeper's come with those of 3.9), by Maven into the user's cache."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from buildtools.errors import CannotLookError
from buildtools.processes import PASSED_ON, clean_environment, run
from buildtools.stack.settings import Mode

VERSIONS: Mapping[Mode, str] = {Mode.ZOOKEEPER: "3.9.1", Mode.KRAFT: "4.1.0"}
"""3.9 is the last line of Kafka with ZooKeeper; 4 has KRaft alone and needs Java 17."""

_LOGGING: Mapping[Mode, tuple[str, str, str]] = {
    Mode.ZOOKEEPER: ("org.slf4j", "slf4j-reload4j", "1.7.36"),
    Mode.KRAFT: ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
}
_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>stack</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{version}</version>
    </dependency>
    <dependency>
      <groupId>{log_group}</groupId>
      <artifactId>{log_artifact}</artifactId>
      <version>{log_version}</version>
    </dependency>
  </dependencies>
</project>
"""
_MAVEN_SECONDS = 900.0
_PASSED = ("JAVA_HOME", "MAVEN_OPTS", "MAVEN_ARGS", "M2_HOME")


def libraries(
    mode: Mode, environ: Mapping[str, str], cache: Path, tell: Callable[[str], None]
) -> Path:
    """The folder with the jars of a mode, filled on first use.

    Raises :class:`CannotLookError` when Maven is missing or cannot get them.
    """
    version = VERSIONS[mode]
    folder = cache / f"kafka-{version}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn", path=environ.get("PATH"))
    if maven is None:
        raise CannotLookError(
            f"Kafka {version} is not on this machine",
            where=str(folder),
            why="Maven, which gets its jars, is not on PATH",
            next_step="install maven (apt-get install maven, brew install maven)",
        )
    tell(f"getting the jars of Kafka {version}")
    half = cache / f"kafka-{version}.{secrets.token_hex(4)}"
    try:
        _get(maven, mode, half, environ)
        if not folder.is_dir():
            (half / "libs").rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return folder


def _get(maven: str, mode: Mode, half: Path, environ: Mapping[str, str]) -> None:
    half.mkdir(parents=True)
    group, artifact, log_version = _LOGGING[mode]
    (half / "pom.xml").write_text(
        _POM.format(
            version=VERSIONS[mode], log_group=group, log_artifact=artifact, log_version=log_version
        ),
        encoding="utf-8",
    )
    passed = {name: environ[name] for name in (*_PASSED, *PASSED_ON) if name in environ}
    done = run(
        (maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={half / 'libs'}"),
        timeout=_MAVEN_SECONDS,
        env=clean_environment(passed),
        cwd=half,
    )
    if not done.ok:
        raise CannotLookError(
            f"Maven could not get Kafka {VERSIONS[mode]}",
            why=done.tail(8),
            next_step="check Maven's settings.xml: which repository it uses, and its proxy",
        )
