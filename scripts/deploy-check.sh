#!/usr/bin/env bash
# Checks the files that Fanfare is deployed with: docker-compose.yml and the
# Dockerfile with parsers of their own, haproxy.cfg by HAProxy.
set -euo pipefail
cd "$(dirname "$0")/.."

(cd deploy/check && go vet . && CGO_ENABLED=0 go build -buildvcs=false -o ../../bin/deploy-check .)
bin/deploy-check docker-compose.yml deploy/Dockerfile

haproxy=$(command -v haproxy || echo /usr/sbin/haproxy)
variables=(BIND=127.0.0.1 SOURCE=127.0.0.1 MAXCONN=100 MQTT_PORT=1883 WS_PORT=8083 HTTP_PORT=8080 STATUS_PORT=8404)
for n in 1 2 3; do
	variables+=("NODE${n}_HOST=127.0.0.1" "NODE${n}_METRICS=9090")
	for kind in MQTT WS HTTP; do variables+=("NODE${n}_$kind=127.0.0.1:9"); done
done
if ! said=$(env "${variables[@]}" "$haproxy" -c -f deploy/haproxy.cfg 2>&1); then
	echo "$said" >&2
	exit 1
fi
