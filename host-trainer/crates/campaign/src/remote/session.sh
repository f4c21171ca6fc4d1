#!/bin/sh
# Measures the plan in this folder by `jetson-agent campaign` with the options given. `host-trainer campaign run` starts it.
# As long as anything of it runs, session.lock is held. session.log, session.pid and session.exit are those of the last session.
umask 022
cd "$(dirname "$0")" || exit 5
exec 9>>session.lock
flock -w 10 9 || exit 75
rm -f session.exit session.pid
exec >session.log 2>&1 </dev/null
# What root writes belongs to whoever asked root.
own() { [ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" .; }
own
./bin/jetson-agent --no-progress campaign plan "$@" &
echo $! >session.pid.part
mv session.pid.part session.pid
wait $!
code=$?
own
echo "$code" >session.exit.part
mv session.exit.part session.exit
