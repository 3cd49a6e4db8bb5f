"""Tells a secret that stands in plain text from what only looks or sounds like one.

A value gives itself away by its form (a password in an address, a key of a known make); else a
name such as ``SESSION_SECRET`` does, where its value is neither a setting nor a placeholder.
"""

from __future__ import annotations

import re

_FORMS = (
    (
        "holds an address with a password",
        re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]*:(?P<p>[^/\s@]+)@", re.IGNORECASE),
    ),
    ("holds a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")),
    ("has the form of an AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("is a signed token (JWT)", re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}")),
    ("has the form of a payment key", re.compile(r"\b(?:[sr]k_(?:live|test)|whsec)_\w{16,}")),
    (
        "has the form of a service's key",
        re.compile(
            r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|sk-[\w-]{20,}"
            r"|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,}|hf_\w{20,}"
            r"|rnd_\w{20,}|npm_\w{30,}|pypi-[\w-]{30,}|dop_v1_\w{30,}|key-[0-9a-f]{32})"
        ),
    ),
)
_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASS|PWD|PASSPHRASE|SECRET|SECRETS|TOKEN|API_?KEY|APIKEY|AUTH_?KEY"
    r"|PRIVATE_?KEY|ACCESS_?KEY|SECRET_?KEY|ENCRYPTION_?KEY|SIGNING_?KEY|MASTER_?KEY|SERVICE_?KEY"
    r"|SERVICE_?ROLE_?KEY|CREDENTIALS?|DSN)(?:_\d+)?$"
)
"""How the names of secrets end; ``MAX_TOKENS`` and ``PASSWORD_RESET_URL`` do not end so."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PUBLIC = re.compile(
    r"PUBLISHABLE|PUBLIC_KEY|SITE_KEY|ANON_KEY|NETWORK_PASSPHRASE|^(?:NO|USE|HAS|REQUIRE|DISABLE|ENABLE)_"
    r"|^(?:NEXT_PUBLIC|NUXT_PUBLIC|EXPO_PUBLIC|PUBLIC|VITE|REACT_APP|GATSBY)_"
)
"""What is not secret by its name: what such a prefix has is built into the page for all to read."""
_SETTING = re.compile(r"(?i)|true|false|none|null|yes|no|on|off|\d{1,3}|default|disabled|enabled")
_PLACEHOLDER = re.compile(
    r"(?i).*(?:\byour\b|\byour[-_ ]|change[-_ ]?(?:me|this|it)|replace|placeholder|example"
    r"|dummy|fixme|todo|<[^>]*>"
    r"|\$\{|\{\{|\binsert\b|set[-_ ](?:in|me|this|via)|enter[-_ ]|not[-_ ]set|redacted).*"
    r"|x{3,}|\*{3,}|\.{3,}|-+|\$\(?\w+\)?",
    re.DOTALL,
)
_FILE = re.compile(r"(?:/|\./)[\w./-]+")
_PLAIN_ADDRESS = re.compile(r"(?i)https?://[^\s@]+")


def secret_kind(name: str, value: str) -> str:
    """What of a variable is secret, as a sentence's end; empty where nothing seems to be.

    A placeholder is none: the value that counts is entered elsewhere.
    """
    for words, form in _FORMS:
        match = form.search(value)
        if match is not None:
            password = match.groupdict().get("p")
            if password is None or not _PLACEHOLDER.fullmatch(password):
                return words
    bare = value.strip()
    spoken = _CAMEL.sub("_", name).upper().replace("-", "_")
    if not _NAME.search(spoken) or _PUBLIC.search(spoken):
        return ""
    harmless = (_SETTING, _PLACEHOLDER, _FILE, _PLAIN_ADDRESS)
    if any(kind.fullmatch(bare) for kind in harmless):
        return ""
    return "has a secret's name"
