"""The way out is in the words of the place that the text comes from."""

import pytest

from buildtools.explain import explain
from buildtools.explain.platforms import Family, Host, place_of

NO_COMPILER = "Building wheel for mysqlclient\nerror: command 'gcc' failed: No such file\n"


@pytest.mark.parametrize(
    ("text", "family", "host"),
    [
        ("/bin/sh: 1: cc: not found", Family.DEBIAN, Host.PLAIN),
        ("fetch dl-cdn alpine v3.20", Family.ALPINE, Host.PLAIN),
        ("gcc (GCC) 7.2.1 (Red Hat 7.2.1-2)", Family.FEDORA, Host.PLAIN),
        ("dlopen(/Users/a/x.so, 0x0002)", Family.MACOS, Host.PLAIN),
        ("C:\\Users\\a\\x.pyd", Family.WINDOWS, Host.PLAIN),
        ("/opt/render/project/src/.venv/bin/python", Family.DEBIAN, Host.RENDER),
        ("Unable to import module 'a': /var/task/x.so", Family.FEDORA, Host.LAMBDA),
        ("remote: -----> Installing requirements with pip", Family.DEBIAN, Host.HEROKU),
        ("#7 1.23 ok", Family.UNKNOWN, Host.DOCKER),
    ],
)
def test_the_place_shows_in_the_text(text: str, family: Family, host: Host) -> None:
    place = place_of(text)
    assert (place.family, place.host) == (family, host)


@pytest.mark.parametrize(
    ("where", "command"),
    [
        ("/bin/sh: 1: x\n", "apt-get install -y build-essential"),
        ("fetch from alpine\n", "apk add --no-cache build-base"),
        ("yum install x\n", "dnf install -y gcc gcc-c++ make"),
        ("/Users/a/b\n", "xcode-select --install"),
    ],
)
def test_a_missing_compiler_is_mended_by_the_systems_own_command(where: str, command: str) -> None:
    commands = explain(where + NO_COMPILER).commands
    assert commands[0] == "buildtools rebuild mysqlclient"
    assert command in commands


def test_on_render_nothing_asks_for_the_systems_packages() -> None:
    commands = explain("/opt/render/project/src\n" + NO_COMPILER).commands
    assert commands
    assert not any(command.startswith(("apt", "sudo")) for command in commands)


def test_headers_are_named_as_their_package() -> None:
    text = "x86_64-linux-gnu-gcc\na.c:1: fatal error: libpq-fe.h: No such file or directory\n"
    assert "apt-get install -y libpq-dev" in explain(text).commands


def test_a_pure_driver_wants_a_package_and_no_rebuild() -> None:
    text = (
        '  File "/srv/site-packages/pymysql/_auth.py", line 143, in sha2_rsa_encrypt\n'
        "RuntimeError: 'cryptography' package is required for sha256_password or "
        "caching_sha2_password auth methods\n"
    )
    found = explain(text)
    assert found.commands == ("pip install cryptography", "buildtools verify PyMySQL --dsn URL")
    assert "cryptography" in found.remedy


def test_an_addon_of_node_is_rebuilt_by_npm() -> None:
    text = (
        "Error: The module '/a/node_modules/better-sqlite3/build/Release/x.node'\n"
        "was compiled against a different Node.js version using\n"
    )
    assert explain(text).commands == ("npm rebuild better-sqlite3",)


def test_a_stack_that_is_not_ready_is_waited_for() -> None:
    assert "buildtools stack wait" in explain("NoBrokersAvailable").commands


def test_no_command_has_an_open_place() -> None:
    from tests.unit.explain.stated_lines import LINES

    for _, line in LINES:
        assert not any("{" in command for command in explain(line).commands), line
