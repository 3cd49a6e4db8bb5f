"""Versions of the index that make way for older ones, and what is said of them."""

from __future__ import annotations

from buildtools.acquire import AcquireError


class UnfitVersionError(AcquireError):
    """The index's wheel of ``version`` does not pass the audit, and it cannot be built either.

    ``build`` says why it cannot.
    """

    def __init__(self, version: str, objection: str, build: AcquireError) -> None:
        super().__init__(f"{version} does not fit", why=objection)
        self.version = version
        self.objection = objection
        self.build = build


class PassedOver:
    """The versions that made way for older ones, and why; what holds for several is said once."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], list[str]] = {}
        self.not_built: tuple[str, ...] = ()
        self.next_step = ""

    def note(self, what: str, why: str, version: str) -> None:
        """``what`` has ``{}`` for the versions."""
        self._versions.setdefault((what, why), []).append(version)

    def unfit(self, error: UnfitVersionError) -> None:
        """A version whose wheel does not fit, and that cannot be built."""
        self.note("{} of the index does not fit", error.objection, error.version)
        build = error.build
        self.not_built = (": ".join(filter(None, (f"not built: {build.what}", build.why))),)
        self.next_step = build.next_step

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each reason."""
        return tuple(
            f"{what.format(', '.join(versions))}: {why}"
            for (what, why), versions in self._versions.items()
        )
