"""Which of several causes is the root, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from buildtools.explain.matcher import Match
from buildtools.findings import Cause

LEAST = 0.35
"""Below this the answer is ``unknown``."""
AMBIGUOUS = 0.75
"""The most that may be said when two unrelated causes are about as likely."""
CLOSE = 0.12
_FULL_WEIGHT = 0.5
_UNNAMED_MOST = 0.75

_BUILD_NOISE = frozenset(
    {
        Cause.MISSING_COMPILER,
        Cause.MISSING_PYTHON_HEADERS,
        Cause.MISSING_PKG_CONFIG,
        Cause.MISSING_CLIENT_HEADERS,
        Cause.MISSING_MYSQL_CONFIG,
        Cause.MISSING_LINK_LIBRARY,
        Cause.MISSING_NATIVE_MODULE,
        Cause.BUILD_BACKEND_TOO_OLD,
        Cause.PURE_FALLBACK,
        Cause.NO_MATCHING_DISTRIBUTION,
    }
)

BRINGS_ABOUT: Mapping[Cause, frozenset[Cause]] = {
    Cause.NO_SPACE: _BUILD_NOISE
    | {Cause.INDEX_UNREACHABLE, Cause.CORRUPT_BINARY, Cause.OUT_OF_MEMORY, Cause.BROKER_UNREACHABLE}
    | {Cause.MYSQL_NOT_READY},
    Cause.OUT_OF_MEMORY: _BUILD_NOISE | {Cause.BROKER_UNREACHABLE, Cause.MYSQL_NOT_READY},
    Cause.INDEX_UNREACHABLE: frozenset(
        {
            Cause.NO_MATCHING_DISTRIBUTION,
            Cause.MISSING_NATIVE_MODULE,
            Cause.HASH_MISMATCH,
            Cause.BUILD_BACKEND_TOO_OLD,
            Cause.CORRUPT_BINARY,
        }
    ),
    Cause.HASH_MISMATCH: frozenset({Cause.MISSING_NATIVE_MODULE, Cause.NO_MATCHING_DISTRIBUTION}),
    Cause.MISSING_DISTUTILS: _BUILD_NOISE - {Cause.NO_MATCHING_DISTRIBUTION},
    Cause.BUILD_BACKEND_TOO_OLD: frozenset(
        {Cause.MISSING_NATIVE_MODULE, Cause.MISSING_DISTUTILS, Cause.UNSUPPORTED_WHEEL}
    ),
    Cause.MISSING_COMPILER: frozenset(
        {
            Cause.MISSING_NATIVE_MODULE,
            Cause.PURE_FALLBACK,
            Cause.MISSING_PYTHON_HEADERS,
            Cause.NO_MATCHING_DISTRIBUTION,
            Cause.MISSING_LINK_LIBRARY,
        }
    ),
    Cause.MISSING_PKG_CONFIG: frozenset(
        {
            Cause.MISSING_CLIENT_HEADERS,
            Cause.MISSING_MYSQL_CONFIG,
            Cause.MISSING_NATIVE_MODULE,
            Cause.MISSING_LINK_LIBRARY,
        }
    ),
    Cause.MISSING_MYSQL_CONFIG: frozenset(
        {Cause.MISSING_CLIENT_HEADERS, Cause.MISSING_NATIVE_MODULE, Cause.MISSING_LIBRARY}
    ),
    Cause.MISSING_CLIENT_HEADERS: frozenset(
        {
            Cause.MISSING_NATIVE_MODULE,
            Cause.MISSING_MYSQL_CONFIG,
            Cause.MISSING_LINK_LIBRARY,
            Cause.PURE_FALLBACK,
            Cause.NO_MATCHING_DISTRIBUTION,
        }
    ),
    Cause.MISSING_PYTHON_HEADERS: frozenset(
        {Cause.MISSING_NATIVE_MODULE, Cause.PURE_FALLBACK, Cause.NO_MATCHING_DISTRIBUTION}
    ),
    Cause.MISSING_LINK_LIBRARY: frozenset({Cause.MISSING_NATIVE_MODULE, Cause.PURE_FALLBACK}),
    Cause.NO_MATCHING_DISTRIBUTION: frozenset({Cause.MISSING_NATIVE_MODULE}),
    Cause.UNSUPPORTED_WHEEL: frozenset(
        {Cause.NO_MATCHING_DISTRIBUTION, Cause.MISSING_NATIVE_MODULE}
    ),
    Cause.EXTERNALLY_MANAGED: frozenset(
        {Cause.MISSING_NATIVE_MODULE, Cause.MISSING_DISTUTILS, Cause.NO_MATCHING_DISTRIBUTION}
    ),
    Cause.FOREIGN_FORMAT: frozenset(
        {
            Cause.MISSING_NATIVE_MODULE,
            Cause.MISSING_LIBRARY,
            Cause.CORRUPT_BINARY,
            Cause.FOREIGN_ARCH,
            Cause.PURE_FALLBACK,
        }
    ),
    Cause.FOREIGN_ARCH: frozenset(
        {
            Cause.MISSING_NATIVE_MODULE,
            Cause.MISSING_LIBRARY,
            Cause.MISSING_SYMBOL,
            Cause.MISSING_LINK_LIBRARY,
            Cause.CORRUPT_BINARY,
            Cause.PURE_FALLBACK,
            Cause.UNSUPPORTED_WHEEL,
            Cause.LIBC_MISMATCH,
        }
    ),
    Cause.LIBC_MISMATCH: frozenset(
        {Cause.MISSING_SYMBOL, Cause.MISSING_LIBRARY, Cause.MISSING_NATIVE_MODULE}
    ),
    Cause.LIBC_TOO_OLD: frozenset({Cause.MISSING_NATIVE_MODULE, Cause.PURE_FALLBACK}),
    Cause.LIBSTDCXX_TOO_OLD: frozenset({Cause.MISSING_NATIVE_MODULE, Cause.MISSING_SYMBOL}),
    Cause.MACOS_TOO_OLD: frozenset(
        {Cause.MISSING_SYMBOL, Cause.MISSING_NATIVE_MODULE, Cause.MISSING_LIBRARY}
    ),
    Cause.ABI_MISMATCH: frozenset(
        {Cause.MISSING_SYMBOL, Cause.MISSING_NATIVE_MODULE, Cause.PURE_FALLBACK}
    ),
    Cause.CORRUPT_BINARY: frozenset(
        {Cause.MISSING_NATIVE_MODULE, Cause.FOREIGN_FORMAT, Cause.MISSING_LIBRARY}
    ),
    Cause.AUTH_PLUGIN_MISSING: frozenset(
        {Cause.MISSING_LIBRARY, Cause.MYSQL_NOT_READY, Cause.MISSING_SYMBOL}
    ),
    Cause.MISSING_LIBRARY: frozenset(
        {
            Cause.MISSING_NATIVE_MODULE,
            Cause.PURE_FALLBACK,
            Cause.MISSING_SYMBOL,
            Cause.LIBSTDCXX_TOO_OLD,
        }
    ),
    Cause.MISSING_SYMBOL: frozenset({Cause.MISSING_NATIVE_MODULE, Cause.PURE_FALLBACK}),
    Cause.SHADOWED: frozenset({Cause.MISSING_NATIVE_MODULE}),
    Cause.RECORD_MISMATCH: frozenset({Cause.MISSING_NATIVE_MODULE}),
    Cause.ZOOKEEPER_NODE_EXISTS: frozenset(
        {Cause.BROKER_UNREACHABLE, Cause.KAFKA_LEADER_ELECTION, Cause.KAFKA_COORDINATOR_UNAVAILABLE}
    ),
    Cause.KAFKA_CLUSTER_ID: frozenset(
        {Cause.BROKER_UNREACHABLE, Cause.KAFKA_LEADER_ELECTION, Cause.KAFKA_COORDINATOR_UNAVAILABLE}
    ),
    Cause.KAFKA_ADVERTISED_LISTENER: frozenset(
        {Cause.BROKER_UNREACHABLE, Cause.KAFKA_COORDINATOR_UNAVAILABLE, Cause.KAFKA_LEADER_ELECTION}
    ),
    Cause.KAFKA_COORDINATOR_UNAVAILABLE: frozenset({Cause.BROKER_UNREACHABLE}),
    Cause.KAFKA_LEADER_ELECTION: frozenset({Cause.BROKER_UNREACHABLE}),
}
"""What each cause brings about: seen together, the effect is noise and the cause is the root."""


def rank(matches: Sequence[Match]) -> tuple[Match, ...]:
    """One match for each cause, the root first, then the others by confidence.

    Rules of the kind ``unknown`` (known troubles without a word of their own) take part: one that
    is surer than every cause wins, and the answer is ``unknown`` with its explanation.
    """
    best: dict[Cause, Match] = {}
    for match in sorted(matches, key=lambda m: (-m.confidence, m.first)):
        best.setdefault(match.rule.cause, match)
    return tuple(sorted(best.values(), key=lambda m: (_is_effect(m, best), -m.confidence, m.first)))


def _is_effect(match: Match, best: Mapping[Cause, Match]) -> bool:
    cause = match.rule.cause
    return any(
        cause in BRINGS_ABOUT.get(other, ())
        and found.confidence >= min(_FULL_WEIGHT, match.confidence)
        and not _is_mutual_and_surer(match, found)
        for other, found in best.items()
        if other is not cause
    )


def _is_mutual_and_surer(match: Match, other: Match) -> bool:
    """Whether the two bring each other about and ``match`` is the surer one."""
    mutual = other.rule.cause in BRINGS_ABOUT.get(match.rule.cause, ())
    return mutual and match.confidence > other.confidence


def sureness(ranked: Sequence[Match]) -> float:
    """How sure the first of the ranked matches is the root, 0 to 1."""
    first = ranked[0]
    confidence = first.confidence
    if first.rule.cause is Cause.UNKNOWN:
        return min(confidence, _UNNAMED_MOST)
    related = BRINGS_ABOUT.get(first.rule.cause, frozenset())
    rivals = [
        match
        for match in ranked[1:]
        if match.rule.cause not in related and match.confidence >= confidence - CLOSE
    ]
    return min(confidence, AMBIGUOUS) if rivals else confidence
