# ruff: noqa: E501, ISC004 - the lines stand here as programs print them
"""Diagnostic lines as the programs word them, each with its cause: one line states one kind.

Written from the programs' own sources and manuals (glibc, musl, dyld, CPython, pip, uv, GCC, ld,
pkg-config, node, npm, Kafka's clients, MySQL's, Redis's); names and paths are made up.
"""

LINES: tuple[tuple[str, str], ...] = (
    ("foreign-format", "ImportError: /srv/lib/_mysql.so: invalid ELF header"),
    ("foreign-format", "dlopen(/a/x.so, 2): '/a/x.so' (slice is not valid mach-o file)"),
    (
        "foreign-format",
        "no suitable image found.  Did find: x.node: unknown file type, first eight bytes: "
        "0x7F 0x45 0x4C 0x46 0x02 0x01 0x01 0x00",
    ),
    ("foreign-arch", "ImportError: libodbc.so.2: wrong ELF class: ELFCLASS32"),
    (
        "foreign-arch",
        "'/a/x.dylib' (mach-o file, but is an incompatible architecture (have 'x86_64', need 'arm64'))",
    ),
    ("foreign-arch", "exec /usr/local/bin/python: exec format error"),
    ("foreign-arch", "-bash: ./tool: cannot execute binary file: Exec format error"),
    ("foreign-arch", "zsh: bad CPU type in executable: node"),
    (
        "foreign-arch",
        "/srv/_mysql.cpython-311-aarch64-linux-gnu.so: cannot open shared object file: "
        "No such file or directory",
    ),
    ("abi-mismatch", "Error: Module did not self-register: '/srv/x.node'."),
    (
        "abi-mismatch",
        "ImportError: dynamic module does not define module export function (PyInit__mysql)",
    ),
    ("abi-mismatch", "/srv/_x.so: undefined symbol: PyUnicodeUCS2_AsASCIIString"),
    (
        "abi-mismatch",
        "RuntimeError: module compiled against API version 0x10 but this version of numpy is 0xe",
    ),
    ("libc-mismatch", "Error relocating /srv/x.so: __vsnprintf_chk: symbol not found"),
    (
        "libc-mismatch",
        "ImportError: libc.musl-x86_64.so.1: cannot open shared object file: "
        "No such file or directory",
    ),
    (
        "libc-mismatch",
        "Error loading shared library ld-linux-aarch64.so.1: No such file or directory "
        "(needed by /srv/x.so)",
    ),
    (
        "libc-too-old",
        "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by ./x.so)",
    ),
    (
        "libstdcxx-too-old",
        "/usr/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by x.node)",
    ),
    (
        "macos-too-old",
        "Referenced from: /a/libpython3.13.dylib (which was built for Mac OS X 14.0)",
    ),
    (
        "missing-library",
        "ImportError: libmysqlclient.so.21: cannot open shared object file: "
        "No such file or directory",
    ),
    (
        "missing-library",
        "Error loading shared library libpq.so.5: No such file or directory (needed by x.so)",
    ),
    ("missing-library", "Library not loaded: /opt/homebrew/opt/zstd/lib/libzstd.1.dylib"),
    (
        "missing-library",
        "ImportError: DLL load failed while importing _mysql: The specified module could not "
        "be found.",
    ),
    ("missing-symbol", "ImportError: ./_mysql.so: undefined symbol: mysql_real_connect"),
    ("missing-symbol", "Error relocating /usr/bin/kcat: rd_kafka_abc: symbol not found"),
    ("missing-symbol", "symbol not found in flat namespace '_sqlite3_serialize'"),
    (
        "missing-symbol",
        "/usr/lib/libssl.so.1.1: version `OPENSSL_1_1_1' not found (required by x.so)",
    ),
    ("corrupt-binary", "ImportError: ./_mysql.so: file too short"),
    ("corrupt-binary", "truncated mach-o error: segment __TEXT extends past end of file"),
    ("corrupt-binary", "zipfile.BadZipFile: File is not a zip file"),
    ("pure-fallback", "ImportError: MySQL Connector/Python C Extension not available (No module)"),
    (
        "pure-fallback",
        "WARNING: The C extension could not be compiled, speedups are not enabled.",
    ),
    ("missing-native-module", "ModuleNotFoundError: No module named '_sqlite3'"),
    ("missing-native-module", "Error: Could not locate the bindings file. Tried:"),
    (
        "missing-native-module",
        "Error: No native build was found for platform=linux arch=arm64 runtime=node abi=108",
    ),
    (
        "missing-native-module",
        "ImportError: cannot import name '_mysql' from partially initialized module 'MySQLdb' "
        "(most likely due to a circular import)",
    ),
    (
        "shadowed",
        "ModuleNotFoundError: No module named 'mysql.connector'; 'mysql' is not a package",
    ),
    (
        "shadowed",
        "ImportError: this is MySQLdb version (1, 2, 4, 'beta', 4), but _mysql is version "
        "(1, 2, 5, 'final', 1)",
    ),
    ("record-mismatch", "ERROR: Cannot uninstall PyYAML 5.3.1, RECORD file not found."),
    ("record-mismatch", "WARNING: Ignoring invalid distribution -ysqlclient (/srv/site-packages)"),
    (
        "wheel-tag-mismatch",
        'auditwheel: error: cannot repair "x.whl" to "manylinux2014_x86_64" ABI because of the '
        "presence of too-recent versioned symbols.",
    ),
    ("sqlite-too-old", "django.core.exceptions: SQLite 3.31 or later is required (found 3.7.17)."),
    ("sqlite-too-old", 'sqlite3.OperationalError: near "RETURNING": syntax error'),
    (
        "auth-plugin-missing",
        "(2059, \"Authentication plugin 'caching_sha2_password' cannot be loaded: "
        '/usr/lib/mysql/plugin/caching_sha2_password.so: cannot open shared object file")',
    ),
    (
        "auth-plugin-missing",
        "RuntimeError: 'cryptography' package is required for sha256_password or "
        "caching_sha2_password auth methods",
    ),
    ("missing-compiler", "error: command 'gcc' failed: No such file or directory"),
    ("missing-compiler", "/bin/sh: 1: cc: not found"),
    ("missing-compiler", "gyp ERR! stack Error: not found: make"),
    ("missing-compiler", "error: Microsoft Visual C++ 14.0 or greater is required."),
    (
        "missing-compiler",
        "xcrun: error: invalid active developer path (/Library/Developer/CommandLineTools)",
    ),
    ("missing-compiler", "error: can't find Rust compiler"),
    ("missing-python-headers", "a.c:1:10: fatal error: Python.h: No such file or directory"),
    ("missing-python-headers", "a.c:1:10: fatal error: 'Python.h' file not found"),
    ("missing-pkg-config", "/bin/sh: 1: pkg-config: not found"),
    (
        "missing-pkg-config",
        "Command 'pkg-config --exists mysqlclient' returned non-zero exit status 127.",
    ),
    ("missing-client-headers", "a.c:1:10: fatal error: mysql.h: No such file or directory"),
    (
        "missing-client-headers",
        "Command 'pkg-config --exists mysqlclient' returned non-zero exit status 1.",
    ),
    ("missing-client-headers", "Error: pg_config executable not found."),
    ("missing-mysql-config", "/bin/sh: mysql_config: command not found"),
    ("missing-link-library", "/usr/bin/ld: cannot find -lmariadb: No such file or directory"),
    ("missing-link-library", "ld: library 'ssl' not found"),
    ("missing-link-library", "LINK : fatal error LNK1181: cannot open input file 'mysql.lib'"),
    ("no-matching-distribution", "ERROR: No matching distribution found for pysqlite3-binary"),
    (
        "no-matching-distribution",
        "Because torch==2.2 has no wheels with a matching Python ABI tag (e.g., `cp313`)",
    ),
    ("unsupported-wheel", "ERROR: x-1-cp37-cp37m-win_amd64.whl is not a supported wheel on this platform."),
    ("build-backend-too-old", "error: invalid command 'bdist_wheel'"),
    ("build-backend-too-old", "AttributeError: module 'pkgutil' has no attribute 'ImpImporter'"),
    ("missing-distutils", "ModuleNotFoundError: No module named 'distutils'"),
    (
        "hash-mismatch",
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
    ),
    ("hash-mismatch", "npm ERR! code EINTEGRITY"),
    (
        "index-unreachable",
        "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by "
        "'NewConnectionError: [Errno -3] Temporary failure in name resolution': /simple/x/",
    ),
    ("index-unreachable", "npm ERR! code ENOTFOUND"),
    ("out-of-memory", "gcc: fatal error: Killed signal terminated program cc1"),
    ("out-of-memory", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
    ("out-of-memory", "==> Ran out of memory (used over 512MB) while running your code."),
    ("no-space", "OSError: [Errno 28] No space left on device"),
    ("externally-managed", "error: externally-managed-environment"),
    (
        "kafka-leader-election",
        "WARN Error while fetching metadata with correlation id 1 : {t=LEADER_NOT_AVAILABLE}",
    ),
    ("kafka-leader-election", "Broker: Leader not available"),
    ("kafka-coordinator-unavailable", "The coordinator is not available. COORDINATOR_NOT_AVAILABLE"),
    ("kafka-coordinator-unavailable", "kafka.errors.GroupCoordinatorNotAvailableError: [Error 15]"),
    (
        "kafka-advertised-listener",
        "%3|1|FAIL|rdkafka#consumer-1| [thrd:kafka:29092/1]: kafka:29092/1: Failed to resolve "
        "'kafka:29092': Name or service not known",
    ),
    (
        "kafka-advertised-listener",
        "WARN Connection to node 1 (localhost/127.0.0.1:9092) could not be established.",
    ),
    (
        "zookeeper-node-exists",
        "ERROR Error while creating ephemeral at /brokers/ids/1, node already exists and owner "
        "'1' does not match current session '2'",
    ),
    (
        "kafka-cluster-id",
        "InconsistentClusterIdException: The Cluster ID a doesn't match stored clusterId Some(b)",
    ),
    ("broker-unreachable", "kafka.errors.NoBrokersAvailable: NoBrokersAvailable"),
    (
        "broker-unreachable",
        "WARN Connection to node -1 (kafka/10.0.0.2:9092) could not be established. Broker may "
        "not be available.",
    ),
    ("broker-unreachable", "%3|1|FAIL|rdkafka#producer-1| 1/1 brokers are down"),
    ("mysql-not-ready", "(2003, \"Can't connect to MySQL server on 'db' ([Errno 111])\")"),
    ("mysql-not-ready", "Error: connect ECONNREFUSED 172.18.0.2:3306"),
    ("redis-auth", "redis.exceptions.AuthenticationError: NOAUTH Authentication required."),
    ("redis-auth", "ReplyError: WRONGPASS invalid username-password pair or user is disabled."),
    ("missing-library", "FileNotFoundError: Could not find module 'librsync' (or one of its dependencies)."),
    ("missing-library", "ImportError: libpython2.7.so.1.0: cannot open shared object file: No such file or directory"),
    ("abi-mismatch", "Error relocating /a/x.node: _ZN2v88internal7Isolate14thread_id_key_E: symbol not found"),
    ("missing-native-module", "Importing the numpy C-extensions failed. This error can happen for many reasons"),
    ("wheel-tag-mismatch", 'auditwheel: error: cannot repair "x.whl" to "manylinux2014_x86_64" ABI because it depends on black-listed symbols.'),
    ("shadowed", "AttributeError: 'module' object has no attribute 'StrictRedis'"),
    ("missing-compiler", "/usr/lib/gcc/x86_64-alpine-linux-musl/6.4.0/include-fixed/limits.h:168:61: fatal error: limits.h: No such file or directory"),
    ("hash-mismatch", "Retrieved digests for links ['a.whl(sha256:1)'] not in poetry.lock metadata {'sha256:2'}"),
    ("no-matching-distribution", "ERROR: Package 'x' requires a different Python: 3.7.0 not in '>=3.9'"),
    ("kafka-leader-election", "BrokerNotAvailableError: Could not find the leader"),
    ("kafka-coordinator-unavailable", "kafka server: Offset's topic has not yet been created."),
    ("zookeeper-node-exists", "ERROR Error while creating ephemeral at /controller, node already exists and owner '1' does not match current session '2' (kafka.zk.KafkaZkClient)"),
    ("mysql-not-ready", "Error: P1001: Can't reach database server at `db`:`3306`"),
    ("redis-auth", "redis.exceptions.ResponseError: operation not permitted"),
    ("shadowed", "ImportError: cannot import name 'KafkaConsumer' from partially initialized module 'kafka' (most likely due to a circular import) (/srv/kafka.py)"),
    ("broker-unreachable", "WARN Couldn't resolve server kafka:9092 from bootstrap.servers as DNS resolution failed for kafka"),
    ("corrupt-binary", "tarfile.ReadError: unexpected end of data"),
    ("hash-mismatch", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM Pipfile.lock!"),
    ("pure-fallback", "UserWarning: Using slow pure-python SequenceMatcher. Install python-Levenshtein"),
    ("out-of-memory", "cc1plus: out of memory allocating 1420112 bytes after a total of 31375360 bytes"),
    ("no-matching-distribution", "error: found distribution x==1.10.0 @ registry+https://a.invalid/simple with neither wheels nor source distribution"),
    ("no-matching-distribution", "Skipping wheel x-227-cp35-cp35m-win32.whl as this is not supported by the current environment"),
    ("corrupt-binary", "NK1127: library is corrupt [C:\\x.vcxproj]"),
    ("missing-compiler", "ERROR: Compiler cl can not compile programs."),
    ("kafka-leader-election", "Produce request on partition [t,0] failed due to Leader not local for partition [t,0] on broker 49198 (kafka.server.KafkaApis)"),
    ("missing-native-module", "NameError: name '_mysql' is not defined"),
    ("broker-unreachable", "kafka-map: server 127.0.0.1:9092 can't connected."),
    ("broker-unreachable", "kafka-node Producer error { [Error: getaddrinfo ENOTFOUND] code: 'ENOTFOUND' }"),
    ("foreign-arch", "WARNING: The requested image's platform (linux/amd64) does not match the detected host platform (linux/arm64/v8)"),
    ("no-matching-distribution", "Package x (1.4.0) not found."),
    ("no-matching-distribution", "  cause: Because x==1.0.0 has no usable wheels and you require x==1.0.0, we can conclude that your requirements are unsatisfiable."),
    ("no-matching-distribution", "ERROR: No files/wheels found for compatible platforms"),
    ("hash-mismatch", "error: In `--require-hashes` mode, all requirements must have a hash, but none were provided for: x==1.16.0"),
    ("missing-symbol", "symbol EVP_md2, version OPENSSL_1.1.0 not defined in file libcrypto.so.1.1 with link time reference"),
    ("corrupt-binary", "ImportError: lib\\udc9d\\udcc3.so.1: cannot open shared object file: No such file or directory"),
    ("abi-mismatch", "Error relocating /a/b.cpython-38-x86_64-linux-gnu.so: _PyThreadState_UncheckedGet: symbol not found"),
    ("abi-mismatch", "a.c:5:3: error: invalid use of incomplete typedef 'PyFrameObject' {aka 'struct _frame'}"),
    ("abi-mismatch", "a.c:10:20: error: incomplete definition of type 'struct _frame'"),
    ("abi-mismatch", "a.c:7:1: error: too few arguments to function '_PyLong_AsByteArray'"),
    ("kafka-advertised-listener", "ERROR None of advertised listeners [PLAINTEXT://a:9092] are reachable"),
    ("broker-unreachable", "ERROR fetching topic metadata for topics [Set(t)] from broker [ArrayBuffer(id:0,host:a,port:9092)] failed (kafka.utils.CoreUtils$)"),
    ("sqlite-too-old", 'sqlite3.OperationalError: near "(": syntax error'),
    ("missing-library", "ImportError: libx.so.1: sdílený objektový soubor nelze otevřít: Adresář nebo soubor neexistuje"),
    ("foreign-arch", "/bin/sh: /a/x: Ugyldigt format på eksekverbar fil"),
    ("missing-client-headers", "Error: b'You need to install postgresql-server-dev-X.Y for building a server-side extension or libpq-dev for building a client-side application.\\n'"),
    ("missing-client-headers", "Package 'cairo', required by 'virtual:world', not found"),
    ("missing-client-headers", "Could not create Makefile due to some reason, probably lack of necessary libraries and/or headers."),
    ("missing-compiler", "gyp ERR! find VS You need to install the latest version of Visual Studio"),
    ("missing-native-module", "ModuleNotFoundError: No module named 'msgpack._packer'"),
    ("pure-fallback", "RuntimeWarning: As the c extension couldn't be imported, `x` is using a pure python implementation that is significantly slower."),
    ("redis-auth", "consumer: Cannot connect to redis://@localhost:6379/1: invalid password."),
    ("missing-client-headers", 'src/MySQLdb/_mysql.c(29): fatal error C1083: Datei (Include) kann nicht geöffnet werden: "mysql.h": No such file or directory'),
    ("broker-unreachable", '{"logger":"kafkajs","message":"[Connection] Connection timeout","broker":"a:9092"}'),
    ("kafka-leader-election", "4 partitions have leader brokers without a matching listener, including [t-0]"),
    ("mysql-not-ready", "Could not connect to mysql server. Aborting..."),
    ("corrupt-binary", "ERROR: For req: x==1.0. Failed to read /tmp/x-1.0-py3-none-any.whl: Bad CRC-32 for file 'x/__init__.py'"),
    ("abi-mismatch", "pyEngine.obj : error LNK2001: unresolved external symbol __PyGen_Send"),
    ("no-matching-distribution", "sharp: Installation error: Prebuilt libvips 8.12.2 binaries are not yet available for linuxmusl-armv7"),
    ("broker-unreachable", "kafka.errors.KafkaTimeoutError: KafkaTimeoutError: Timeout after waiting for 10 secs."),
    ("hash-mismatch", "WARN  GET https://npm.example.org/a/-/a-1.tgz error (ERR_PNPM_TARBALL_INTEGRITY). Will retry in 10 seconds. 2 retries left."),
    ("foreign-arch", "usr/include/machine/_types.h:34:2: error: architecture not supported"),
    ("missing-link-library", "_cffi__gb74.obj : error LNK2001: simbolo esterno _lo_export non risolto"),
    ("hash-mismatch", "THE FOLLOWING PACKAGES DIDN'T MATCH THE HASHES SPECIFIED IN THE REQUIREMENTS"),
    ("missing-symbol", "AttributeError: No symbol PQescapeLiteral found in library /usr/lib/libpq.so"),
    ("shadowed", "cannot import name 'KafkaProducer' from partially initialized module 'kafka' (most likely due to a circular import)"),
    ("kafka-advertised-listener", "Failed to resolve '9c95dafd9323:9092': Name or service not known"),
    ("kafka-advertised-listener", "ERRO[0002] ProducerError 0/10: kafka: Failed to produce message to topic mdm: dial tcp: lookup kafka: no such host"),
    ("libc-mismatch", "/usr/bin/x86_64-alpine-linux-musl/bin/ld: Release/obj.target/a.node: No symbol version section for versioned symbol `memcpy@GLIBC_2.2.5'"),
)  # fmt: skip
