#!/bin/sh
set -e
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=998 --regid=998 --clear-groups -- "$0" "$@"
fi
exec "$@"
