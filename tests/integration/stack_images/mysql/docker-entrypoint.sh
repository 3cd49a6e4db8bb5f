#!/bin/bash
# A data folder that is new is set up by a server of its own, which listens on the socket alone: a
# check that asks the socket is answered by it too early.
set -eu
[ "$*" = mysqld ] || exec "$@"
: "${MYSQL_ROOT_PASSWORD:?}"
socket=/run/mysqld/mysqld.sock
server=(mariadbd --no-defaults --user=mysql --datadir=/var/lib/mysql "--socket=$socket")
if [ ! -d /var/lib/mysql/mysql ]; then
    mariadb-install-db --no-defaults --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null
    "${server[@]}" --skip-networking &
    until mariadb --no-defaults -S "$socket" -e 'SELECT 1' >/dev/null 2>&1; do sleep 0.2; done
    mariadb --no-defaults -S "$socket" <<END
CREATE DATABASE \`$MYSQL_DATABASE\`;
CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';
GRANT ALL ON \`$MYSQL_DATABASE\`.* TO '$MYSQL_USER'@'%';
ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
END
    kill %1
    wait %1
fi
exec "${server[@]}" --port=3306 --skip-name-resolve --innodb-buffer-pool-size=64M
