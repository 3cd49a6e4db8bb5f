"""Where a stored wheel came from and how it was proven: a small JSON document beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is known of a wheel beyond its own words.

    ``target`` is a spec such as ``linux/x86_64/glibc2.28/cp312``, ``python`` the ABI that it was
    made with; ``backend`` is ``index``, ``native``, ``zig`` or ``cibuildwheel``; ``source``
    ``index``, ``sdist`` or ``local``; ``bundled`` the sonames inside; ``proven`` the places where
    a probe passed, as target specs; ``created`` seconds since 1970, UTC.
    """

    driver: str
    target: str
    python: str
    backend: str
    source: str
    tool: str = ""
    bundled: tuple[str, ...] = ()
    proven: tuple[str, ...] = ()
    created: int = 0

    def proven_on(self, target: str) -> Provenance:
        """The same, with one more place where the wheel was tried and works."""
        return replace(self, proven=tuple(sorted({*self.proven, target})))

    def document(self) -> bytes:
        """The JSON that is stored."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n").encode("utf-8")

    @classmethod
    def read(cls, content: bytes) -> Provenance:
        """Read what :meth:`document` wrote; ``ValueError`` for anything else."""
        body = json.loads(content)
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ValueError("no provenance of a known format")
        known: dict[str, object] = {}
        for field in fields(cls):
            value = body.get(field.name)
            if isinstance(value, list):
                known[field.name] = tuple(str(item) for item in value)
            elif value is not None:
                known[field.name] = value
        return cls(**known)  # type: ignore[arg-type]  # a missing field is a TypeError


UNKNOWN = Provenance(driver="", target="", python="", backend="", source="local")
"""What is said of a wheel whose document was lost."""
