"""The configuration: from the environment and a `.env` file, checked before anything starts.

Names are those that operators already use (`DB_HOST`, `KAFKA_BROKERS`, …); times ending in
`_ms`, `_timeout` or `_interval` are milliseconds. A mistake is :class:`SettingsError`, which names
the variables and never prints what they hold.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import quote

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from database_consumer.urls import MASK, database_problem, masked_url, passwords, redis_problem

SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_TOPIC = r"^[A-Za-z0-9._-]{1,249}$"
"""What Kafka takes as a topic's name (org.apache.kafka.common.internals.Topic)."""


class SettingsError(Exception):
    """The configuration cannot be used; ``problems`` says which variables and why."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class LogLevel(StrEnum):
    """What `LOG_LEVEL` may be."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    WARN = "warn"
    ERROR = "error"


class Settings(BaseSettings):
    """Every setting, in the field's own name in lower case."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    app_env: str = "development"
    log_level: LogLevel = LogLevel.INFO
    log_dir: Path | None = None
    log_format: str = Field(default="auto", pattern="^(auto|human|json)$")

    database_url: SecretStr | None = None
    db_host: str | None = None
    db_port: int = Field(default=3306, ge=1, le=65535)
    db_user: str = "root"
    db_password: SecretStr = SecretStr("")
    db_name: str = "database_consumer"
    db_ssl_ca: Path | None = None
    db_ssl_cert: Path | None = None
    db_ssl_key: Path | None = None
    db_health_check_interval: int = Field(default=10_000, ge=50)
    db_reconnect_interval: int = Field(default=5_000, ge=50)
    embedded_path: Path = Path("database-consumer.sqlite3")
    entities_module: str | None = None
    entities_reflect: str = ""

    redis_url: SecretStr | None = None
    redis_host: str | None = None
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_username: str | None = None
    redis_password: SecretStr = SecretStr("")
    redis_db: int = Field(default=0, ge=0)
    redis_tls: bool = False
    redis_ssl_ca: Path | None = None
    cache_namespace: str = Field(default="dbc", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    cache_ttl_seconds: int = Field(default=86_400, ge=1)
    cache_tombstone_seconds: int = Field(default=3_600, ge=1)

    kafka_brokers: str = "localhost:9092"
    kafka_client_id: str = "database-consumer"
    kafka_group_id: str = Field(default="database-writer-group", min_length=1, max_length=249)
    kafka_group_instance_id: str | None = None
    topic_db_operations: str = Field(default="db-operations-buffer", pattern=_TOPIC)
    topic_dead_letters: str = Field(default="dead-letter-queue", pattern=_TOPIC)
    kafka_security_protocol: str = Field(
        default="PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$"
    )
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ssl_ca: Path | None = None
    kafka_ssl_cert: Path | None = None
    kafka_ssl_key: Path | None = None
    kafka_ssl_key_password: SecretStr = SecretStr("")
    consumer_session_timeout: int = Field(default=30_000, ge=100)
    consumer_heartbeat_interval: int = Field(default=3_000, ge=10)
    consumer_max_poll_interval: int = Field(default=300_000, ge=1_000)

    max_retry_attempts: int = Field(default=5, ge=0, le=100)
    retry_delay_ms: int = Field(default=5_000, ge=1)
    batch_max: int = Field(default=2_000, ge=1, le=50_000)
    commit_target_ms: int = Field(default=250, ge=1)
    writers: int = Field(default=0, ge=0, le=16)
    queue_max_records: int = Field(default=20_000, ge=1)
    queue_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    inbox_retention_hours: int = Field(default=24 * 30, ge=1)
    shutdown_timeout_ms: int = Field(default=20_000, ge=100)

    status_port: int | None = Field(default=None, ge=0, le=65535)
    status_host: str = "127.0.0.1"
    status_interval: int = Field(default=60_000, ge=100)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_means_unset(cls, value: object, info: object) -> object:
        name = getattr(info, "field_name", None)
        if value == "" and name is not None:
            return cls.model_fields[name].get_default()
        return value

    @field_validator("entities_reflect")
    @classmethod
    def _off(cls, value: str) -> str:
        return "" if value.lower() in {"false", "no", "0", "off"} else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator(
        "db_ssl_ca",
        "db_ssl_cert",
        "db_ssl_key",
        "redis_ssl_ca",
        "kafka_ssl_ca",
        "kafka_ssl_cert",
        "kafka_ssl_key",
    )
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                with value.open("rb"):
                    pass
            except OSError as error:
                raise ValueError(f"{value}: {error.strerror}") from None
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (problem := database_problem(value.get_secret_value())):
            raise ValueError(problem)
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (problem := redis_problem(value.get_secret_value())):
            raise ValueError(problem)
        return value

    @field_validator("kafka_sasl_mechanism")
    @classmethod
    def _mechanism(cls, value: str | None) -> str | None:
        if value is not None and value.upper() not in SASL_MECHANISMS:
            raise ValueError(f"wants {', '.join(SASL_MECHANISMS)}")
        return value.upper() if value is not None else None

    @field_validator("kafka_security_protocol", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("kafka_brokers")
    @classmethod
    def _brokers(cls, value: str) -> str:
        brokers = [one.strip() for one in value.split(",") if one.strip()]
        for one in brokers:
            host, colon, port = one.rpartition(":")
            if colon and not (host and port.isdigit() and 0 < int(port) <= 65535):  # noqa: PLR2004 -- the last TCP port
                raise ValueError("wants host:port, separated by commas")
        if not brokers:
            raise ValueError("wants at least one host:port")
        return ",".join(brokers)

    @model_validator(mode="after")
    def _timeouts_fit(self) -> Self:
        if self.consumer_heartbeat_interval >= self.consumer_session_timeout:
            raise ValueError("CONSUMER_HEARTBEAT_INTERVAL must be below CONSUMER_SESSION_TIMEOUT")
        if self.consumer_session_timeout > self.consumer_max_poll_interval:
            raise ValueError("CONSUMER_SESSION_TIMEOUT must not exceed CONSUMER_MAX_POLL_INTERVAL")
        return self

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL_"):
            needed = ("kafka_sasl_mechanism", "kafka_sasl_username")
            missing = [name.upper() for name in needed if not getattr(self, name)]
            if not self.kafka_sasl_password.get_secret_value():
                missing.append("KAFKA_SASL_PASSWORD")
            if missing:
                protocol = self.kafka_security_protocol
                raise ValueError(f"KAFKA_SECURITY_PROTOCOL={protocol} needs {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        """A dead letter that came back as an operation would be one again, for ever."""
        if self.topic_dead_letters == self.topic_db_operations:
            raise ValueError("TOPIC_DEAD_LETTERS and TOPIC_DB_OPERATIONS must be two topics")
        return self

    @property
    def database(self) -> str:
        """The database's URL: DATABASE_URL, else from DB_HOST and its kin, else embedded SQLite."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        if self.db_host is None:
            return f"sqlite:///{self.embedded_path}"
        password = self.db_password.get_secret_value()
        login = quote(self.db_user, safe="") + (f":{quote(password, safe='')}" if password else "")
        return (
            f"mysql://{login}@{_host(self.db_host)}:{self.db_port}/{quote(self.db_name, safe='')}"
        )

    @property
    def reflected_names(self) -> tuple[str, ...] | None:
        """The tables that `ENTITIES_REFLECT` names; None: all of them (it says ``true``)."""
        if self.entities_reflect.lower() in {"true", "all", "yes", "1", "*"}:
            return None
        return tuple(one.strip() for one in self.entities_reflect.split(",") if one.strip())

    @property
    def redis(self) -> str | None:
        """Redis's URL, or None when no Redis is configured."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        if self.redis_host is None:
            return None
        password = self.redis_password.get_secret_value()
        user = quote(self.redis_username or "", safe="")
        login = f"{user}:{quote(password, safe='')}@" if password else ""
        scheme = "rediss" if self.redis_tls else "redis"
        return f"{scheme}://{login}{_host(self.redis_host)}:{self.redis_port}/{self.redis_db}"

    def secrets(self) -> tuple[str, ...]:
        """Every secret text in force, so that a log can refuse them."""
        found = {
            value.get_secret_value()
            for value in dict(self).values()
            if isinstance(value, SecretStr)
        }
        for url in (self.database, self.redis):
            found |= passwords(url) if url else set()
        return tuple(sorted((one for one in found if one), key=len, reverse=True))

    def shown(self) -> dict[str, str | int | bool | None]:
        """The configuration in force, in the variables' names, secrets masked."""
        out: dict[str, str | int | bool | None] = {}
        for name, value in dict(self).items():
            if name in {"database_url", "redis_url"} and isinstance(value, SecretStr):
                out[name.upper()] = masked_url(value.get_secret_value())
            elif isinstance(value, SecretStr):
                out[name.upper()] = MASK if value.get_secret_value() else ""
            elif value is None or isinstance(value, bool | int):
                out[name.upper()] = value
            else:
                out[name.upper()] = masked_url(str(value))
        return out


def load_settings(
    overrides: Mapping[str, object] | None = None, *, env_file: Path | None = Path(".env")
) -> Settings:
    """The settings: ``overrides`` (field names) beat the environment, which beats the file.

    Raises :class:`SettingsError` with every mistake at once.
    """
    given = _lines_of(env_file) | dict(overrides or {})
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(tuple(_problem(one) for one in error.errors())) from None


def _lines_of(path: Path | None) -> dict[str, object]:
    """The settings in a `.env` file that the environment does not have.

    Read by python-dotenv, but with every value as it is written:
    there ``${NAME}`` would be put in for another variable, and a password may hold just that.
    """
    if path is None or not path.is_file():
        return {}
    try:
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError((f"{path} is not UTF-8 text",)) from None
    except OSError as error:
        raise SettingsError((f"{path}: {error.strerror}",)) from None
    around = {name.lower() for name in os.environ}
    return {
        name.lower(): value
        for name, value in found.items()
        if value is not None
        and name.lower() in Settings.model_fields
        and name.lower() not in around
    }


def _wanted(pattern: str) -> str:
    """What a pattern asks for, in words."""
    if words := re.fullmatch(r"\^\(([A-Za-z_|]+)\)\$", pattern):
        return f"wants {words[1].replace('|', ', ')}"
    most = re.search(r"\{1,([0-9]+)\}", pattern)
    count = most[1] if most else "64"
    return f"wants at most {count} letters, digits, dots, underscores and hyphens"


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _problem(error: Mapping[str, object]) -> str:
    where = error.get("loc")
    name = str(where[0]).upper() if isinstance(where, tuple) and where else ""
    message = str(error.get("msg", "")).removeprefix("Value error, ")
    context = error.get("ctx")
    if error.get("type") == "string_pattern_mismatch" and isinstance(context, dict):
        message = _wanted(str(context.get("pattern")))
    return f"{name}: {message}" if name else message
