#!/usr/bin/env bash
# Holds a server against openapi.yaml: schemathesis makes requests that follow
# the description and such that do not, in the order that the operations can
# follow each other, as an owner, with an API key and as the operator.
#
# Usage: scripts/test-api.sh [ARGUMENT OF SCHEMATHESIS...]
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$PWD/bin/schemathesis
if ! [ -x "$venv/bin/schemathesis" ] || ! cmp -s scripts/test-api/requirements.txt "$venv/requirements.txt"; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --disable-pip-version-check --quiet -r scripts/test-api/requirements.txt
	cp scripts/test-api/requirements.txt "$venv/"
fi

folder=$(mktemp -d)
server=
cleanup() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

FANFARE_MASTER_KEY=$(head -c 32 /dev/urandom | base64)
export FANFARE_MASTER_KEY

# begin: a server without anything in it, whose API is at $api.
begin() {
	cleanup
	mkdir -p "$folder"
	bin/fanfare serve --data "$folder/data" --http-addr 127.0.0.1:0 --mqtt-addr 127.0.0.1:0 --ws-addr '' --metrics-addr '' \
		--log-format text --log-level info >"$folder/out" 2>"$folder/log" </dev/null &
	server=$!
	until grep -q '^Ctrl-C' "$folder/out"; do
		kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
		sleep 0.1
	done
	api=$(awk '$1 == "API" { print $2 }' "$folder/out")
}

# call BEARER PATH BODY: a POST.
call() {
	curl -sSf "$api$2" -H "Authorization: Bearer $1" -H 'Content-Type: application/json' -d "$3"
}

# field NAME...: of the JSON on standard input.
field() {
	python3 -c 'import functools, json, sys; print(functools.reduce(lambda v, k: v[k], sys.argv[1:], json.load(sys.stdin)))' "$@"
}

# found: an organization with an app.
found() {
	TEST_API_URL=$api
	# The organization is said at each sign-in: requests make the owner others.
	TEST_API_OWNER='{"organization":"acme","email":"ana@acme.example","password":"a staple that no example has"}'
	local member
	member=$(call none /v1/signup "$TEST_API_OWNER" | field token)
	TEST_API_KEY=$(call "$member" /v1/apps '{"id":"chat","name":"Chat"}' | field api_key secret)
	export TEST_API_URL TEST_API_OWNER TEST_API_KEY
}

# holds WHO [ARGUMENT...]: a run as an owner, an operator or with a key.
holds() {
	echo "as $*"
	if ! TEST_API_AS=$1 "$venv/bin/schemathesis" --config-file scripts/test-api/schemathesis.toml run openapi.yaml --url "$api" \
		--checks all --seed 1 "${@:2}" >"$folder/said" 2>&1; then
		cat "$folder/said"
		echo "what the server said:"
		grep -v 'level=INFO' "$folder/log" | tail -n 40
		exit 1
	fi
	grep -E ' generated, |Tested:' "$folder/said"
	if grep 'level=ERROR' "$folder/log"; then exit 1; fi
}

# What ends that which the others are about comes last, one after the other.
last=(logOut endMySession deleteApp deleteMyOrganization)
begin
found
holds owner "${last[@]/#/--exclude-operation-id=}" "$@"
for operation in "${last[@]}"; do
	holds owner --include-operation-id="$operation" --phases examples,coverage,fuzzing "$@"
done
begin
found
holds key "${last[@]/#/--exclude-operation-id=}" "$@"
begin
found
holds operator "$@"
