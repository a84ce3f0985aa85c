#!/usr/bin/env bash
# Usage: scripts/need.sh PROGRAM...
#
# Makes sure that programs are there, by installing the Debian packages they
# come from. Without the right to install it prints the one line to run. It
# starts no service, and leaves none to start at boot.
set -euo pipefail

# present PROGRAM: is it in the PATH, or where Debian keeps it out of the PATH?
present() {
	case $1 in
	paho-c) # a library
		test -e /usr/include/MQTTClient.h
		return
		;;
	python3-venv) # a module
		python3 -c 'import ensurepip, venv' 2>/dev/null
		return
		;;
	esac
	command -v "$1" >/dev/null 2>&1 ||
		compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null ||
		test -x "/usr/sbin/$1"
}

# package PROGRAM: the Debian packages that have it.
package() {
	case $1 in
	postgres) echo postgresql ;;
	redis-server) echo redis-server ;;
	mosquitto) echo mosquitto ;;
	haproxy) echo haproxy ;;
	mosquitto_sub | mosquitto_pub) echo mosquitto-clients ;;
	curl | git) echo "$1 ca-certificates" ;;
	gcc) echo gcc libc6-dev ;; # for the race detector
	node) echo nodejs ;;
	npm) echo npm ;;
	python3-venv) echo python3 python3-venv ;;
	mvn) echo maven ;;
	javac) echo default-jdk-headless ;;
	paho-c) echo libpaho-mqtt-dev libc6-dev ;;
	*)
		echo "need.sh: no package is known for $1" >&2
		return 1
		;;
	esac
}

packages=
for program in "$@"; do
	if ! present "$program"; then
		found=$(package "$program")
		packages+=" $found"
	fi
done
[ -n "$packages" ] || exit 0
packages=$(printf '%s\n' $packages | sort -u | xargs)

if ! command -v apt-get >/dev/null 2>&1; then
	echo "Missing programs. Install what your system calls: $packages" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "Missing programs. Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends $packages" >&2
	exit 1
fi

# One installation at a time: the policy below is a file of the whole system.
mkdir -p /run/lock
exec 9>/run/lock/fanfare-need.lock
flock 9

# Debian starts a service when it installs it, unless this policy says no.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
cleanup() {
	rm -f "$log"
	if [ -n "${made_policy:-}" ]; then rm -f "$policy"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
if [ ! -e "$policy" ]; then
	made_policy=yes
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt() {
	# shellcheck disable=SC2086 # the packages are words
	apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1 9>&-
}
echo "installing $packages"
# The lists of packages may be missing or old: then they are fetched first.
# shellcheck disable=SC2086
apt install -y --no-install-recommends $packages ||
	{ apt update && apt install -y --no-install-recommends $packages; } ||
	{
		cat "$log" >&2
		exit 1
	}

# Neither shall they start with the machine.
if command -v systemctl >/dev/null 2>&1; then
	for service in $packages; do
		case $service in
		postgresql | redis-server | mosquitto | haproxy) systemctl disable "$service" >/dev/null 2>&1 || true ;;
		esac
	done
fi
