#!/usr/bin/env bash
# Fetches the libraries of the test clients from npm, PyPI and Maven, builds
# what is built, and leaves it under bin/clients. Again it does nothing new.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=$PWD/internal/clients
out=$PWD/bin/clients
mkdir -p "$out"

# quiet COMMAND...: shows what a command says only if it fails.
quiet() {
	local log
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}

(cd "$sources/mqttjs" && quiet npm ci --no-progress)

if ! [ -x "$out/python/bin/python" ] || ! "$out/python/bin/python" -c 'import paho.mqtt.client' 2>/dev/null; then
	rm -rf "$out/python"
	python3 -m venv "$out/python"
fi
quiet "$out/python/bin/pip" install --disable-pip-version-check -r "$sources/pahopython/requirements.txt"

quiet gcc -Wall -Wextra -Werror -O1 -o "$out/pahoc" "$sources/pahoc/main.c" -lpaho-mqtt3c
quiet go build -o "$out/" ./internal/clients/pahogo ./internal/clients/pahogo5
(cd "$sources/pahojava" && quiet mvn -q -B "-DoutputFolder=$out/java" compile \
	org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$out/java/lib")
