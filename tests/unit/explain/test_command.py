"""``buildtools explain``: exit codes, the document, and what a person reads."""

import argparse
import io
import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from buildtools.commands import explain as command
from buildtools.errors import CannotLookError, ExitCode
from buildtools.report import Screen

LINE = "ImportError: libmariadb.so.3: cannot open shared object file: No such file or directory\n"


def run(path: str, *, as_json: bool = False) -> tuple[ExitCode, str]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    out = io.StringIO()
    code = command.run(parser.parse_args([path]), Screen(as_json=as_json, out=out))
    return code, out.getvalue()


@pytest.mark.parametrize(
    ("text", "code", "cause"),
    [(LINE, ExitCode.OK, "missing-library"), ("all is well\n", ExitCode.NO, "unknown")],
)
def test_the_document_keeps_the_contract(
    tmp_path: Path, text: str, code: ExitCode, cause: str
) -> None:
    (tmp_path / "log").write_text(text)
    got, said = run(str(tmp_path / "log"), as_json=True)
    document = json.loads(said)
    schema = json.loads(
        files("buildtools").joinpath("schemas/explain.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.validate(document, schema)
    assert next(iter(document)) == "schema"
    assert (got, document["cause"]) == (code, cause)


def test_a_person_reads_cause_line_and_command(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("import MySQLdb\n" + LINE)
    code, said = run(str(tmp_path / "log"))
    assert code is ExitCode.OK
    assert said.startswith("missing-library")
    assert "  2 | ImportError" in said
    assert "buildtools rebuild mysqlclient" in said


def test_a_file_that_is_not_there_could_not_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError):
        run(str(tmp_path / "none"))
