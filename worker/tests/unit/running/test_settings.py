from __future__ import annotations

from pathlib import Path

import pytest

from database_consumer.settings import Settings, SettingsError, load_settings
from database_consumer.urls import MASK, masked_url, passwords

CARD = {
    "DB_HOST": "db.example",
    "DB_PORT": "3307",
    "DB_USER": "app",
    "DB_PASSWORD": "p@ss/word",
    "DB_NAME": "shop",
    "REDIS_HOST": "cache.example",
    "REDIS_PORT": "6380",
    "REDIS_PASSWORD": "re:dis",
    "REDIS_DB": "2",
    "KAFKA_BROKERS": "one:9092, two:9092",
    "KAFKA_CLIENT_ID": "c",
    "KAFKA_GROUP_ID": "g",
    "TOPIC_DB_OPERATIONS": "t",
    "CONSUMER_SESSION_TIMEOUT": "20000",
    "CONSUMER_HEARTBEAT_INTERVAL": "2000",
    "MAX_RETRY_ATTEMPTS": "3",
    "RETRY_DELAY_MS": "100",
    "DB_HEALTH_CHECK_INTERVAL": "9000",
    "DB_RECONNECT_INTERVAL": "4000",
    "LOG_LEVEL": "DEBUG",
    "APP_ENV": "production",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*Settings.model_fields, *(field.upper() for field in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_card() -> None:
    found = load_settings()
    assert (found.topic_db_operations, found.kafka_group_id, found.kafka_client_id) == (
        "db-operations-buffer",
        "database-writer-group",
        "database-consumer",
    )
    assert (found.consumer_session_timeout, found.consumer_heartbeat_interval) == (30_000, 3_000)
    assert (found.max_retry_attempts, found.retry_delay_ms) == (5, 5_000)
    assert (found.db_health_check_interval, found.db_reconnect_interval) == (10_000, 5_000)
    assert (found.log_level, found.app_env) == ("info", "development")
    assert found.status_host == "127.0.0.1"
    assert found.database.startswith("sqlite:///")
    assert found.redis is None


def test_every_name_of_the_card_is_read_and_urls_are_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in CARD.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    assert found.database == "mysql://app:p%40ss%2Fword@db.example:3307/shop"
    assert found.redis == "redis://:re%3Adis@cache.example:6380/2"
    assert found.kafka_brokers == "one:9092,two:9092"
    for name, value in CARD.items():
        if value.isdigit():
            assert getattr(found, name.lower()) == int(value)
    assert found.log_level == "debug"


def test_the_readme_names_every_setting() -> None:
    text = (Path(__file__).parents[3] / "README.md").read_text()
    missing = [name for name in Settings.model_fields if f"`{name.upper()}`" not in text]
    assert missing == []


def test_a_dotenv_file_is_read_and_the_environment_beats_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DB_HOST=from-file\nDB_NAME=from-file\nUNKNOWN=1\n")
    monkeypatch.setenv("DB_NAME", "from-environment")
    assert load_settings().database == "mysql://root@from-file:3306/from-environment"


def test_urls_beat_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////var/data.db")
    monkeypatch.setenv("REDIS_URL", "rediss://elsewhere:1/0")
    for name, value in CARD.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    assert found.database == "sqlite:////var/data.db"
    assert found.redis == "rediss://elsewhere:1/0"


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATUS_PORT", "DATABASE_URL", "DB_PORT", "LOG_DIR", "KAFKA_BROKERS"):
        monkeypatch.setenv(name, "")
    found = load_settings()
    assert found.status_port is None
    assert found.database_url is None
    assert found.db_port == 3306
    assert found.kafka_brokers == "localhost:9092"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PORT", "http"),
        ("DB_PORT", "0"),
        ("KAFKA_BROKERS", "host:port"),
        ("KAFKA_BROKERS", " , "),
        ("LOG_LEVEL", "loud"),
        ("KAFKA_SECURITY_PROTOCOL", "NONE"),
        ("MAX_RETRY_ATTEMPTS", "-1"),
        ("CACHE_NAMESPACE", "a{b}"),
        ("CONSUMER_HEARTBEAT_INTERVAL", "30000"),
        ("TOPIC_DEAD_LETTERS", "db-operations-buffer"),
        ("DATABASE_URL", "mysql://u:pw-secret@[bad/db"),
        ("DATABASE_URL", "mysql://u:pw-secret@host:port/db"),
        ("DATABASE_URL", "mysql://u:pw-secret@host"),
        ("DATABASE_URL", "mysql://u:pw@secret@host/db"),
        ("DATABASE_URL", "postgres://u:pw-secret@host/db"),
        ("DATABASE_URL", "host/db-secret"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///"),
        ("REDIS_URL", "http://:pw-secret@host"),
        ("REDIS_URL", "redis://:pw-secret@host:port/0"),
        ("REDIS_URL", "redis://:pw#secret@host/0"),
        ("REDIS_URL", "redis://host/name-secret"),
        ("TOPIC_DB_OPERATIONS", "a b/c"),
        ("TOPIC_DEAD_LETTERS", "x" * 250),
        ("KAFKA_SASL_MECHANISM", "FOO"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("KAFKA_SSL_CA", "/no/such/ca.pem"),
        ("DB_SSL_CA", "/no/such/ca.pem"),
        ("DB_SSL_KEY", "/"),
        ("REDIS_SSL_CA", "/no/such/ca.pem"),
    ],
)
def test_a_mistake_names_its_variable_and_not_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert name in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:p@host/db",
        "mysql://host/db",
        "mysql://u:p%40w%2F@host:3306/db?charset=utf8mb4",
        "mysql://u:p@[::1]:3306/db",
        "mariadb+pymysql://u@host/db",
        "mysql://u:p@/db?unix_socket=/run/mysqld.sock",
        "mysql://u:p#w?d@host/db",
        "sqlite:///here.db",
        "sqlite:////var/there.db",
        "json:///here.json",
    ],
)
def test_a_database_that_drivers_take_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert load_settings().database == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "redis://:p@host:6379/3",
        "rediss://u:p@host/0?x=1",
        "unix:///run/r.sock?db=1",
    ],
)
def test_a_cache_that_redis_takes_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert load_settings().redis == url


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("DB_NAME=plain", "plain"),
        ("  DB_NAME = spaced  ", "spaced"),
        ("export DB_NAME=exported", "exported"),
        ('DB_NAME="quo ted" # a comment', "quo ted"),
        ("DB_NAME='a # b'", "a # b"),
        ("DB_NAME=a#b", "a#b"),
        ("DB_NAME=a # comment", "a"),
        ("# DB_NAME=comment\nDB_NAME=after", "after"),
        ("DB_NAME=crlf\r\nDB_USER=u\r\n", "crlf"),
        ("\ufeffDB_NAME=marked", "marked"),
        ("db_name=lower", "lower"),
        ("DB_NAME=pa${HOME}ss$word", "pa${HOME}ss$word"),
        ('DB_NAME="pa${HOME}ss"', "pa${HOME}ss"),
        ("DB_NAME=first\nDB_NAME=second", "second"),
        ("nonsense\nDB_NAME=beside", "beside"),
        ("DB_NAME=a=b=c", "a=b=c"),
    ],
)
def test_lines_of_a_dotenv_file_are_read_as_they_are_written(
    tmp_path: Path, lines: str, wanted: str
) -> None:
    (tmp_path / ".env").write_bytes(lines.encode())
    assert load_settings().db_name == wanted


def test_a_dotenv_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DB_NAME=\xff\xfe")
    with pytest.raises(SettingsError, match=r"\.env is not UTF-8 text"):
        load_settings()


def test_a_login_to_kafka_is_whole_or_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "u")
    with pytest.raises(SettingsError, match="needs KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD"):
        load_settings()
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "scram-sha-256")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "p")
    assert load_settings().kafka_sasl_mechanism == "SCRAM-SHA-256"


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("mysql://u:plain@h/d", "plain"),
        ("mysql://u:p%40w@h/d", "p@w"),
        ("mysql://u:p%40w@h/d", "p%40w"),
        ("mysql://u:p#w?d@h/d", "p#w?d"),
        ("mysql://u:p/w@h/d", "p/w"),
        ("mysql://u:a@b@h/d", "a@b"),
        ("redis://:re:dis@h", "re:dis"),
    ],
)
def test_a_password_is_known_however_a_driver_reads_it(url: str, secret: str) -> None:
    assert secret in passwords(url)


def test_a_bad_secret_is_not_repeated_in_the_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PORT", "hunter2-hunter2")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_what_is_shown_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "DB_PASSWORD": "s3cret-db",
        "REDIS_PASSWORD": "s3cret-redis",
        "KAFKA_SASL_PASSWORD": "s3cret-sasl",
        "KAFKA_SSL_KEY_PASSWORD": "s3cret-key",
        "DATABASE_URL": "mysql://app:s3cret-url@h/db?ssl_key_password=s3cret-query",
        "REDIS_URL": "redis://:s3cret-rurl@h",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    text = str(found.shown()) + repr(found) + str(found)
    assert "s3cret" not in text
    assert found.shown()["DB_PASSWORD"] == MASK
    assert {"s3cret-db", "s3cret-url", "s3cret-rurl"} <= set(found.secrets())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://u:pw@h:1/d", f"mysql://u:{MASK}@h:1/d"),
        ("mysql://u@h/d", "mysql://u@h/d"),
        ("redis://:pw@h", f"redis://:{MASK}@h"),
        ("sqlite:///a/b.db", "sqlite:///a/b.db"),
        ("mysql://u:p@w@h/d", f"mysql://u:{MASK}@h/d"),
        ("mysql://u:p/w@h/d", f"mysql://{MASK}"),
        ("mysql://u:p%zz#w?d@host/db", f"mysql://{MASK}"),
        ("mysql://u:p?w@h/d", f"mysql://{MASK}"),
        ("mysql://u:a@b?c@h/d", f"mysql://{MASK}"),
        ("mysql://h/d?password=x&a=b", f"mysql://h/d?password={MASK}&a=b"),
        ("plain text", "plain text"),
    ],
)
def test_a_password_is_masked_wherever_a_url_may_hold_it(url: str, shown: str) -> None:
    assert masked_url(url) == shown


def test_a_pattern_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "xml")
    monkeypatch.setenv("TOPIC_DEAD_LETTERS", "a b")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    said = str(caught.value)
    assert "LOG_FORMAT: wants auto, human, json" in said
    assert "TOPIC_DEAD_LETTERS: wants at most 249 letters, digits" in said
