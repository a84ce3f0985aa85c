#!/usr/bin/env bash
# mosquitto_pub and mosquitto_sub against a broker, step by step: the first
# that fails ends the script.
set -euo pipefail

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
patience=15 # seconds
step=start
client=0

begin() {
	step=$*
	echo "$step"
}
fail() {
	echo "mosquitto: $step: $*" >&2
	exit 1
}

# common ID: the arguments of every client.
common() {
	echo -h "$MQTT_HOST" -p "$MQTT_PORT" -u "$MQTT_USERNAME" -P "$MQTT_PASSWORD" -V "$version" -i "$1"
}
# pub ARGS...: publishes, with a client identifier of its own.
pub() {
	client=$((client + 1))
	# shellcheck disable=SC2046 # the arguments are words
	mosquitto_pub $(common "mosq-$$-pub-$client") "$@" || fail "mosquitto_pub $*"
}
# start NAME ARGS...: subscribes in the background.
start() {
	local name=$1
	shift
	# -d tells about the SUBACK; the messages are the lines that begin with =.
	# shellcheck disable=SC2046
	stdbuf -oL mosquitto_sub $(common "mosq-$$-$name") -d -F '=%r %q %p' -W "$patience" "$@" >"$work/$name" 2>&1 &
	echo $! >"$work/$name.pid"
}
# listen NAME ARGS...: subscribes, and waits for SUBACK.
listen() {
	start "$@"
	until_line "$work/$1" 'Subscribed'
}
# until_line FILE PATTERN: waits for a line.
until_line() {
	for _ in $(seq $((patience * 20))); do
		if grep -q -- "$2" "$1" 2>/dev/null; then return; fi
		sleep 0.05
	done
	fail "no line '$2' in: $(cat "$1")"
}
# heard NAME LINE...: waits until the listener has ended; its messages are these.
heard() {
	local name=$1
	shift
	wait "$(cat "$work/$name.pid")" || fail "mosquitto_sub ended with $?: $(cat "$work/$name")"
	diff <(printf '%s\n' "$@") <(grep -a '^=' "$work/$name") || fail "other messages"
}

for version in mqttv31 mqttv311 mqttv5; do
	topic=$MQTT_PREFIX/$version

	for qos in 0 1 2; do
		begin "$version QoS $qos both ways"
		listen "qos$qos-$version" -t "$topic/qos$qos" -q "$qos" -C 3
		for i in 1 2 3; do pub -t "$topic/qos$qos" -q "$qos" -m "message $i"; done
		heard "qos$qos-$version" "=0 $qos message 1" "=0 $qos message 2" "=0 $qos message 3"
	done

	begin "$version retained"
	pub -t "$topic/retained" -q 1 -r -m kept
	listen "retained-$version" -t "$topic/retained" -q 1 -C 1
	heard "retained-$version" "=1 1 kept"
	pub -t "$topic/retained" -q 1 -r -n

	begin "$version will"
	listen "will-$version" -t "$topic/will" -q 1 -C 1
	listen "lost-$version" -t "$topic/other" --will-topic "$topic/will" --will-payload gone --will-qos 1
	kill -9 "$(cat "$work/lost-$version.pid")"
	wait "$(cat "$work/lost-$version.pid")" 2>/dev/null || true
	heard "will-$version" "=0 1 gone"

	begin "$version persistent resume"
	expiry=()
	if [ "$version" = mqttv5 ]; then expiry=(-x 60); fi
	# -E ends after the SUBACK; the same name is the same client identifier.
	listen "durable-$version" -t "$topic/resume" -q 1 -c "${expiry[@]}" -E
	wait "$(cat "$work/durable-$version.pid")" || fail "the first connection"
	pub -t "$topic/resume" -q 1 -m 'while away'
	start "durable-$version" -t "$topic/resume" -q 1 -c "${expiry[@]}" -C 1
	heard "durable-$version" "=0 1 while away"

	begin "$version share group"
	listen "one-$version" -t "\$share/mosq/$topic/share" -q 1
	listen "two-$version" -t "\$share/mosq/$topic/share" -q 1
	for i in $(seq 10); do pub -t "$topic/share" -q 1 -m "share $i"; done
	for i in $(seq 10); do
		for _ in $(seq $((patience * 20))); do
			n=$(cat "$work/one-$version" "$work/two-$version" | grep -ac "^=0 1 share $i\$" || true)
			if [ "$n" -gt 0 ]; then break; fi
			sleep 0.05
		done
		[ "$n" = 1 ] || fail "message $i came $n times"
	done
	kill "$(cat "$work/one-$version.pid")" "$(cat "$work/two-$version.pid")"
done

if [ -n "${MQTT_TLS_PORT:-}" ]; then
	begin "TLS"
	version=mqttv311
	MQTT_PORT=$MQTT_TLS_PORT
	listen tls --cafile "$MQTT_CA" -t "$MQTT_PREFIX/tls" -q 1 -C 1
	pub --cafile "$MQTT_CA" -t "$MQTT_PREFIX/tls" -q 1 -m secret
	heard tls "=0 1 secret"
fi
begin "done"
