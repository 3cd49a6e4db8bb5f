"""The machine's apt sources: the distribution's own, in both formats, for any release."""

from __future__ import annotations

from pathlib import Path

from buildtools.acquire.aptsources import as_text, os_release, own_sources, read_sources

MIRROR = "http://mirror.invalid/debian"

STANZAS = f"""# the mirror
Types: deb deb-src
URIs: {MIRROR}
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://other.invalid/node
Suites: nodistro
Components: main

Types: deb
URIs: http://off.invalid/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://src.invalid/debian
Suites: bookworm
Components: main
"""


def etc_apt(folder: Path, *, lines: str = "", stanzas: str = "") -> Path:
    (folder / "sources.list.d").mkdir()
    (folder / "sources.list").write_text(lines)
    (folder / "sources.list.d" / "a.sources").write_text(stanzas)
    return folder


def test_one_line_sources_are_read(tmp_path: Path) -> None:
    lines = (
        f"# deb {MIRROR} sid main\n"
        f"deb-src {MIRROR} bookworm main\n"
        f"deb [arch=amd64 signed-by=/k.gpg] {MIRROR} bookworm main contrib # why\n"
        f"deb {MIRROR}-security bookworm-security main\n"
        "deb http://other.invalid stable main\n"
    )
    own = own_sources(read_sources(etc_apt(tmp_path, lines=lines)), "bookworm")
    assert [(s.fields["URIs"], s.fields["Suites"]) for s in own] == [
        (MIRROR, "bookworm"),
        (f"{MIRROR}-security", "bookworm-security"),
    ]
    assert own[0].fields["Signed-By"] == "/k.gpg"


def test_stanzas_are_read_and_third_parties_are_not(tmp_path: Path) -> None:
    own = own_sources(read_sources(etc_apt(tmp_path, stanzas=STANZAS)), "bookworm")
    assert len(own) == 1
    assert own[0].fields["Suites"] == "bookworm bookworm-updates"
    assert own[0].fields["Components"] == "main"
    assert own[0].fields["Signed-By"].splitlines()[-1] == " -----END PGP PUBLIC KEY BLOCK-----"


def test_another_release_of_the_same_archive(tmp_path: Path) -> None:
    own = own_sources(read_sources(etc_apt(tmp_path, stanzas=STANZAS)), "bookworm", "trixie")
    text = as_text(own, "arm64")
    assert "Suites: trixie trixie-updates\n" in text
    assert "Architectures: arm64\n" in text
    assert "bookworm" not in text


def test_no_sources_are_no_error(tmp_path: Path) -> None:
    assert read_sources(tmp_path / "nothing") == ()


def test_os_release_is_read(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text("ID=ubuntu\nVERSION_CODENAME='noble'\nPRETTY_NAME=\"A B\"\n# x\n")
    assert os_release(path) == {"ID": "ubuntu", "VERSION_CODENAME": "noble", "PRETTY_NAME": "A B"}
    assert os_release(tmp_path / "none") == {}
