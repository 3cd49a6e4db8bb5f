"""Imports run one way, downwards, as docs/architecture.md draws them."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "buildtools"

FLOORS: dict[int, tuple[str, ...]] = {
    0: ("errors", "findings"),
    1: ("targets", "binaries"),
    2: ("compatibility", "recipes", "planning"),
    3: ("processes", "host_script", "folders"),
    4: ("host", "archives", "configuration", "writing"),
    5: ("environment", "loader", "wheels"),
    6: ("doctor", "probes", "acquire", "install", "stamps", "wheelhouse"),
    7: ("rebuild", "explain", "proving"),
    8: ("deploy", "stack"),
    9: ("report", "cli", "commands", "__main__", "__init__"),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The room that a module belongs to: its folder, or itself at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The rooms of this package that a module imports, wherever in it the import stands."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "buildtools" and len(parts) > 1:
                target = PACKAGE / parts[1]
                if target.is_dir():
                    rooms.add(parts[1])
                elif target.with_suffix(".py").exists():
                    rooms.add(room_of(target.with_suffix(".py")))
    return rooms


def imports_of_subprocess(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        "subprocess" in ([alias.name for alias in node.names] + [getattr(node, "module", "")])
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_is_in_a_known_room(path: Path) -> None:
    assert room_of(path) in FLOOR_OF, "give the new room a floor here and in docs/architecture.md"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(path: Path) -> None:
    own = room_of(path)
    upwards = {
        room
        for room in imported(path)
        if room != own and FLOOR_OF[room] >= FLOOR_OF[own] and FLOOR_OF[own] != max(FLOORS)
    }
    assert not upwards, f"{own} (floor {FLOOR_OF[own]}) imports {sorted(upwards)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_processes_starts_programs(path: Path) -> None:
    if path.name != "processes.py":
        assert not imports_of_subprocess(path)
