"""With ``--json`` every command prints one document of its schema, also where it refuses."""

import json
from pathlib import Path

import jsonschema
import pytest

from buildtools.cli import run_command_line
from buildtools.commands import COMMANDS

SCHEMAS = Path(__file__).resolve().parents[2] / "buildtools" / "schemas"
REFUSED = [
    ("detect --target nowhere", 2),
    ("detect --python absent", 3),
    ("doctor absent", 3),
    ("doctor --target nowhere", 2),
    ("doctor broken.zip", 3),
    ("doctor --wrong-option", 2),
    ("verify sqlite3 --python absent", 3),
    ("plan --python absent", 3),
    ("rebuild --python absent", 3),
    ("wheel apsw --target nowhere", 2),
    ("wheel", 2),
    ("wheelhouse nothing-known", 2),
    ("wheelhouse add absent.whl --wheelhouse house", 3),
    ("explain absent.log", 3),
    ("lock --target nowhere", 2),
    ("render", 2),
    ("render check absent.yaml", 3),
    ("render build --python absent", 3),
    ("matrix --target nowhere", 2),
    ("matrix --check absent", 3),
    ("stack nothing-known", 2),
]


@pytest.mark.parametrize(("words", "code"), REFUSED, ids=[words for words, _ in REFUSED])
def test_a_refusal_is_a_document_with_the_exit_code(
    words: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    command = words.split(maxsplit=1)[0]
    assert run_command_line([*words.split(), "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert next(iter(document)) == "schema"
    assert document["error"]["code"] == code
    assert document["error"]["what"]
    schema = json.loads((SCHEMAS / f"{command}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)


def test_every_command_is_among_them() -> None:
    assert {words.split()[0] for words, _ in REFUSED} == set(COMMANDS)
