"""What a diagnosis says: a cause, how bad it is, the evidence, and the way out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """``error``: will not load there; ``warning``: may not; ``info``: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Cause(StrEnum):
    """Every cause that ``doctor`` and ``explain`` can name; public, see ``docs/causes.md``."""

    FOREIGN_FORMAT = "foreign-format"
    FOREIGN_ARCH = "foreign-arch"
    ABI_MISMATCH = "abi-mismatch"
    LIBC_MISMATCH = "libc-mismatch"
    LIBC_TOO_OLD = "libc-too-old"
    LIBSTDCXX_TOO_OLD = "libstdcxx-too-old"
    MACOS_TOO_OLD = "macos-too-old"
    MISSING_LIBRARY = "missing-library"
    MISSING_SYMBOL = "missing-symbol"
    CORRUPT_BINARY = "corrupt-binary"
    PURE_FALLBACK = "pure-fallback"
    MISSING_NATIVE_MODULE = "missing-native-module"
    SHADOWED = "shadowed"
    RECORD_MISMATCH = "record-mismatch"
    WHEEL_TAG_MISMATCH = "wheel-tag-mismatch"
    SQLITE_TOO_OLD = "sqlite-too-old"
    AUTH_PLUGIN_MISSING = "auth-plugin-missing"

    MISSING_COMPILER = "missing-compiler"
    MISSING_PYTHON_HEADERS = "missing-python-headers"
    MISSING_PKG_CONFIG = "missing-pkg-config"
    MISSING_CLIENT_HEADERS = "missing-client-headers"
    MISSING_MYSQL_CONFIG = "missing-mysql-config"
    MISSING_LINK_LIBRARY = "missing-link-library"
    NO_MATCHING_DISTRIBUTION = "no-matching-distribution"
    UNSUPPORTED_WHEEL = "unsupported-wheel"
    BUILD_BACKEND_TOO_OLD = "build-backend-too-old"
    MISSING_DISTUTILS = "missing-distutils"
    HASH_MISMATCH = "hash-mismatch"
    INDEX_UNREACHABLE = "index-unreachable"
    OUT_OF_MEMORY = "out-of-memory"
    NO_SPACE = "no-space"
    EXTERNALLY_MANAGED = "externally-managed"

    KAFKA_LEADER_ELECTION = "kafka-leader-election"
    KAFKA_COORDINATOR_UNAVAILABLE = "kafka-coordinator-unavailable"
    KAFKA_ADVERTISED_LISTENER = "kafka-advertised-listener"
    ZOOKEEPER_NODE_EXISTS = "zookeeper-node-exists"
    KAFKA_CLUSTER_ID = "kafka-cluster-id"
    BROKER_UNREACHABLE = "broker-unreachable"
    MYSQL_NOT_READY = "mysql-not-ready"
    REDIS_AUTH = "redis-auth"

    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing, about one file or distribution.

    ``path`` is where it is, relative to what was looked at where that is shorter; ``distribution``
    the name of the distribution that owns it, or empty; ``evidence`` what was read, found beside
    required; ``remedy`` one sentence; ``command`` what to run, or empty; ``line`` and ``column``
    start at 1 and are set only for findings in text files.
    """

    cause: Cause
    severity: Severity
    path: str
    evidence: str
    remedy: str
    command: str = ""
    distribution: str = ""
    line: int | None = None
    column: int | None = None
