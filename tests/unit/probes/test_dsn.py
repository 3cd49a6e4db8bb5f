"""Addresses of live servers: what is read, what is refused, and that no password shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildtools.errors import UsageError
from buildtools.probes import Dsn, parse_dsn

SECRET = "hunter2/@:?#%"  # noqa: S105 - of no server
QUOTED = "hunter2%2F%40%3A%3F%23%25"


def test_a_whole_address_is_read() -> None:
    dsn = parse_dsn(
        f"mysql://ann%40x:{QUOTED}@db.example:3307/shop?ssl-ca=/ca.pem&ssl_mode=required"
    )
    assert (dsn.host, dsn.port, dsn.user, dsn.database) == ("db.example", 3307, "ann@x", "shop")
    assert dsn.password == SECRET
    assert dsn.options == {"ssl-ca": "/ca.pem", "ssl-mode": "required"}


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+asyncmy"])
def test_the_schemes_of_mysql_are_taken(scheme: str) -> None:
    dsn = parse_dsn(f"{scheme}://ann@[::1]/shop")
    assert (dsn.host, dsn.port, dsn.password) == ("::1", 3306, "")
    assert str(dsn) == "mysql://ann@[::1]:3306/shop"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must begin with"),
        ("postgres://a:b@h/d", "must begin with"),
        ("mysql://h/d", "no user"),
        ("mysql://a:b@/d", "no host"),
        ("mysql://a:b@h", "one database"),
        ("mysql://a:b@h/", "one database"),
        ("mysql://a:b@h/d/e", "one database"),
        ("mysql://a:b@h:x/d", "host or port"),
        ("mysql://a:b@h:99999/d", "host or port"),
        ("mysql://a:b@[h/d", "host or port"),
        ("mysql://a:b@h/d#e", "%23"),
        ("mysql://a:b@h/d?tls=1", "'tls' is no option"),
        ("mysql://a:b@h/d?ssl-mode=maybe", "ssl-mode must be one of"),
        ("mysql://a:b@h/d?connect-timeout=0", "whole seconds"),
        ("mysql://a:b@h/d?connect-timeout=1.5", "whole seconds"),
        ("mysql://a:b@h/d?ssl-ca=", "has no value"),
        ("mysql://a:b@h/d?ssl-ca=x&ssl_ca=y", "twice"),
        ("mysql://a:b@h/d?ssl-ca", "NAME=VALUE"),
    ],
)
def test_a_bad_address_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsn(text)
    assert why in caught.value.why


@given(end=st.text(max_size=20))
def test_the_password_shows_nowhere(end: str) -> None:
    password = f"Zq9Zq{end}"
    dsn = Dsn(host="h", port=1, user="u", password=password, database="d")
    assert "Zq9" not in f"{dsn} {dsn!r}"
    assert "****" in str(dsn)


@pytest.mark.parametrize(
    "text",
    [
        "mysql://ann:sup3rs3cret/x@host/shop",
        "mysql://ann:sup3rs3cret#x@host/shop",
        "mysql://ann:12:sup3rs3cret/@host/shop",
        "mysql://ann:sup3rs3cret@host:sup3rs3cret/shop",
        "mysql://ann:sup3rs3cret@host/shop?sup3rs3cret",
    ],
)
def test_a_refusal_does_not_repeat_the_password(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsn(text)
    assert "sup3rs3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_every_spelling_of_the_password_is_named_for_masking() -> None:
    dsn = parse_dsn(f"mysql://ann:{QUOTED}@h/d")
    assert dsn.secrets == (SECRET, QUOTED)
    assert parse_dsn("mysql://ann@h/d").secrets == ()
