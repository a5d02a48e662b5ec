#!/usr/bin/env bash
# Runs a command on a private D-Bus session with a real Secret Service (gnome-keyring), which ends with it:
#
#   secret_service.sh open COMMAND…      its keyring is unlocked
#   secret_service.sh locked COMMAND…    its keyring is there, and locked
#   secret_service.sh hanging COMMAND…   it is there and never answers
#
# Needs Debian's packages dbus and gnome-keyring, and a HOME to spoil.
set -euo pipefail
if [[ $1 != --inside ]]; then
  exec dbus-run-session -- "$0" --inside "$@"
fi
state=$2
shift 2
call() { dbus-send --session --print-reply=literal "$@"; }
gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 < <(printf 'password\n') &
pid=$!
trap 'kill -KILL "$pid"' EXIT
for _ in {1..200}; do
  if call --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true
  then break; fi
  sleep 0.05
done
case $state in
  locked)
    call --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock \
      array:objpath:/org/freedesktop/secrets/collection/login >/dev/null
    ;;
  hanging) kill -STOP "$pid" ;;
esac
"$@"
