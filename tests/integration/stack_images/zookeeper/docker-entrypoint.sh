#!/bin/bash
# zoo.cfg from the variables that the official image knows, then ZooKeeper in the foreground.
set -eu
[ "$*" = "zkServer.sh start-foreground" ] || exec "$@"
{
    echo "dataDir=$ZOO_DATA_DIR"
    echo "dataLogDir=$ZOO_DATA_LOG_DIR"
    echo "clientPort=2181"
    echo "tickTime=$ZOO_TICK_TIME"
    echo "admin.enableServer=$ZOO_ADMINSERVER_ENABLED"
    echo "autopurge.purgeInterval=$ZOO_AUTOPURGE_PURGEINTERVAL"
    echo "autopurge.snapRetainCount=$ZOO_AUTOPURGE_SNAPRETAINCOUNT"
    [ -z "${ZOO_4LW_COMMANDS_WHITELIST:-}" ] || echo "4lw.commands.whitelist=$ZOO_4LW_COMMANDS_WHITELIST"
    for entry in ${ZOO_CFG_EXTRA:-}; do echo "$entry"; done
} > /tmp/zoo.cfg
exec java "-Xmx${ZK_SERVER_HEAP:-1000}m" ${SERVER_JVMFLAGS:-} -cp '/opt/kafka/libs/*:/opt/kafka/config' \
    org.apache.zookeeper.server.quorum.QuorumPeerMain /tmp/zoo.cfg
