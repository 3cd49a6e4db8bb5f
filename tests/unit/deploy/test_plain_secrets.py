"""Secrets in plain text by form and by name; settings and placeholders that only sound so."""

import pytest

from buildtools.deploy.blueprint_check import check_blueprint
from buildtools.deploy.blueprint_findings import Rule
from buildtools.deploy.plain_secrets import secret_kind

HEX = "9f86d081884c7d659a2feaa0c55ad015"
SECRETS = [
    ("DATABASE_URL", "postgres://app:hunter2@db.internal:5432/app", "address with a password"),
    ("BROKER", "amqps://app:s3cr3t@mq.example.com/vhost", "address with a password"),
    ("CACHE", "redis://:hunter2@cache:6379/0", "address with a password"),
    ("MONGO", "mongodb+srv://app:p%40ss@cluster0.abc.mongodb.net", "address with a password"),
    ("KEY", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "private key"),
    ("KEY", "-----BEGIN PRIVATE KEY-----", "private key"),
    ("DEPLOY", "-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
    ("ID", "AKIA" + "A2B4" * 4, "AWS key"),
    ("ID", "ASIA" + "A2B4" * 4, "AWS key"),
    ("ROLE", "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9." + "s" * 43, "JWT"),
    ("PAY", "sk_" + "live_" + "a1B2" * 6, "payment key"),
    ("PAY", "rk_" + "test_" + "a1B2" * 6, "payment key"),
    ("HOOK", "whsec_" + "a1B2" * 8, "payment key"),
    ("GH", "ghp_" + "a1B2" * 9, "service's key"),
    ("GH", "github_pat_" + "a1B2" * 9, "service's key"),
    ("GL", "glpat-" + "a1B2" * 5, "service's key"),
    ("AI", "sk-" + "proj-" + "a1B2" * 9, "service's key"),
    ("CHAT", "xoxb-" + "1234567890-" + "a1B2" * 5, "service's key"),
    ("MAPS", "AIza" + "a1B2" * 9, "service's key"),
    ("MAIL", "SG." + "a1B2" * 5 + "." + "a1B2" * 10, "service's key"),
    ("HF", "hf_" + "a1B2" * 8, "service's key"),
    ("DB_PASSWORD", "hunter2", "name"),
    ("DB_PASS", "hunter2", "name"),
    ("SECRET_KEY", HEX, "name"),
    ("DJANGO_SECRET_KEY", "django-insecure-" + HEX, "name"),
    ("JWT_SECRET", "mysecret", "name"),
    ("STRIPE_API_KEY", HEX, "name"),
    ("AMADEUS_APIKEY", HEX, "name"),
    ("AUTH_TOKEN", HEX, "name"),
    ("ENCRYPTION_KEY", HEX, "name"),
    ("AWS_SECRET_ACCESS_KEY", HEX, "name"),
    ("SENTRY_DSN", HEX, "name"),
    ("SESSION_SECRET_2", HEX, "name"),
    ("sessionSecret", HEX, "name"),
    ("api-key", HEX, "name"),
    ("PGPASSWORD_SECRET", "1234567890", "name"),
]
HARMLESS = [
    ("MAX_TOKENS", "4096"),
    ("ACCESS_TOKEN_EXPIRE_MINUTES", "1440"),
    ("JWT_ACCESS_EXPIRES", "15m"),
    ("JWT_EXPIRATION", "7d"),
    ("TOKENIZERS_PARALLELISM", "false"),
    ("PASSWORD_MIN_LENGTH", "1200"),
    ("PASSWORD_RESET_URL", "https://shop.example.com/reset"),
    ("TOKEN_URL", "https://login.example.com/token"),
    ("OAUTH_TOKEN", "https://login.example.com/token"),
    ("API_KEY_HEADER", "X-API-Key"),
    ("SECRET_NAME", "prod/db"),
    ("USE_API_KEY", "optional"),
    ("REQUIRE_PASSWORD", "always"),
    ("STRIPE_PUBLISHABLE_KEY", "pk_live_a1B2a1B2a1B2"),
    ("RECAPTCHA_SITE_KEY", HEX),
    ("GOOGLE_CREDENTIALS", "/etc/secrets/google.json"),
    ("DB_PASSWORD", ""),
    ("DB_PASSWORD", "changeme"),
    ("DB_PASSWORD", "change-this-in-production"),
    ("OPENAI_API_KEY", "your-api-key-here"),
    ("OPENAI_API_KEY", "<your key>"),
    ("OPENAI_API_KEY", "${OPENAI_API_KEY}"),
    ("OPENAI_API_KEY", "$OPENAI_API_KEY"),
    ("OPENAI_API_KEY", "xxxxxxxx"),
    ("OPENAI_API_KEY", "REPLACE_ME"),
    ("OPENAI_API_KEY", "set in dashboard"),
    ("SECRET_KEY", "placeholder"),
    ("AUTH_TOKEN", "none"),
    ("DATABASE_URL", "postgres://db.internal:5432/app"),
    ("DATABASE_URL", "postgres://app@db.internal/app"),
    ("DATABASE_URL", "postgres://user:<password>@host/db"),
    ("DATABASE_URL", "postgres://user:${DB_PASSWORD}@host/db"),
    ("DATABASE_URL", "sqlite:////var/data/app.db"),
    ("ORIGINS", "http://localhost:3000,https://a.example.com"),
    ("IMAGE", "images.example.org/acme/app@sha256:" + HEX),
    ("VITE_FIREBASE_API_KEY", HEX),
    ("NEXT_PUBLIC_API_KEY", HEX),
    ("KEYBOARD", "qwerty"),
    ("COMPASS", "north"),
    ("STATIC_URL", "https://example.com:8443/@v1"),
]


@pytest.mark.parametrize(("name", "value", "words"), SECRETS)
def test_a_secret_is_known_by_form_or_name(name: str, value: str, words: str) -> None:
    assert words in secret_kind(name, value)


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_settings_and_placeholders_are_no_secrets(name: str, value: str) -> None:
    assert secret_kind(name, value) == ""


def test_the_secret_is_told_at_its_value_and_not_repeated() -> None:
    text = """\
services:
  - type: worker
    name: a
    runtime: docker
    envVars:
      - key: PLAIN
        value: https://example.com
      - key: DATABASE_URL
        value: "mysql://app:hunter2@db/app"
      - {key: TOKEN, generateValue: true}
      - {key: API_KEY, sync: false}
      - key: DB_PASSWORD
        fromDatabase: {name: main, property: password}
databases:
  - name: main
envVarGroups:
  - name: shared
    envVars:
      - {key: SESSION_SECRET, value: abcdefgh}
"""
    found = check_blueprint(text, "render.yaml")
    assert [(one.rule, one.line, one.column) for one in found] == [
        (Rule.PLAINTEXT_SECRET, 9, 16),
        (Rule.PLAINTEXT_SECRET, 19, 38),
    ]
    assert not any(word in one.evidence for one in found for word in ("hunter2", "abcdefgh"))
