"""The bill of materials is the same for the same content, and names what is inside."""

from __future__ import annotations

import json
from pathlib import Path

from buildtools.acquire.licences import Bundled, bill, debian_purl, plain_soname, write_papers
from tests.unit.acquire.values import request

CORPUS = Path(__file__).parents[2] / "corpus" / "binaries"
SSL = Bundled(
    soname="libssl.so.3",
    name="libssl3",
    version="3.0.1-1",
    purl=debian_purl("debian", "libssl3", "1:3.0.1-1~x", "amd64", "bookworm"),
)


def test_a_package_url_keeps_the_epoch() -> None:
    assert SSL.purl == "pkg:deb/debian/libssl3@1%3A3.0.1-1~x?arch=amd64&distro=bookworm"


def test_the_repairs_hash_is_taken_out_of_a_name() -> None:
    assert plain_soname("libssl-cab3f5b0.so.3") == "libssl.so.3"
    assert plain_soname("libssl.so.3") == "libssl.so.3"


def test_the_same_content_gives_the_same_serial_number() -> None:
    one = bill("a", "1", request(), [(SSL, None)], {"ziglang": "0.17"})
    two = bill("a", "1", request(), [(SSL, None)], {"ziglang": "0.17"})
    other = bill("a", "2", request(), [(SSL, None)], {"ziglang": "0.17"})
    assert one == two
    assert one["serialNumber"] != other["serialNumber"]


def test_the_papers_of_what_was_bundled_travel_in_the_wheel(tmp_path: Path) -> None:
    licence = tmp_path / "copyright"
    licence.write_text("free")
    info = tmp_path / "tree" / "a-1.dist-info"
    libs = tmp_path / "tree" / "a.libs"
    info.mkdir(parents=True)
    libs.mkdir()
    library = next(path for path in sorted(CORPUS.rglob("*.so")) if path.stat().st_size)
    (libs / "libssl-cab3f5b0.so.3").write_bytes(library.read_bytes())
    owner = Bundled(
        soname="libssl.so.3", name="libssl3", version="3", purl="", licence_file=licence
    )
    write_papers(tmp_path / "tree", request(), (), (owner,), {})
    assert (info / "licenses/bundled/libssl3/copyright").read_text() == "free"
    document = json.loads((info / "sboms/bundled.cdx.json").read_text())
    component = document["components"][0]
    assert component["name"] == "libssl3"
    assert component["hashes"][0]["alg"] == "SHA-256"
    assert document["dependencies"][0]["dependsOn"] == [component["bom-ref"]]


def test_a_wheel_with_nothing_bundled_has_no_bill(tmp_path: Path) -> None:
    (tmp_path / "a-1.dist-info").mkdir()
    write_papers(tmp_path, request(), (), (), {})
    assert not (tmp_path / "a-1.dist-info/sboms").exists()
