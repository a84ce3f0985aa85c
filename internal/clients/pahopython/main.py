"""Paho Python against a broker, step by step: the first that fails ends it."""

import os
import queue
import sys
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HOST, PREFIX = os.environ["MQTT_HOST"], os.environ["MQTT_PREFIX"]
PATIENCE = 15  # seconds
VERSIONS = {3: paho.MQTTv31, 4: paho.MQTTv311, 5: paho.MQTTv5}
step = "start"
counter = 0


def begin(name):
    global step
    step = name
    print(name, flush=True)


def expect(what, got, want):
    if got != want:
        raise AssertionError(f"{what} is {got!r}, want {want!r}")


class Client:
    """A connection whose callbacks end in queues."""

    def __init__(self, version, client_id=None, clean=True, will=None, transport="tcp", tls=False, expiry=0):
        global counter
        counter += 1
        self.messages, self.acks, self.closed = queue.Queue(), queue.Queue(), threading.Event()
        client_id = client_id or f"pahopy-{os.getpid()}-{counter}"
        kind = {} if version == 5 else {"clean_session": clean}
        c = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=VERSIONS[version], transport=transport,
            reconnect_on_failure=False, **kind)
        self.c, self.version = c, version
        c.username_pw_set(os.environ["MQTT_USERNAME"], os.environ["MQTT_PASSWORD"])
        c.on_message = lambda _c, _u, m: self.messages.put(m)
        connected, granted = queue.Queue(), self.acks
        c.on_connect = lambda _c, _u, flags, code, _p: connected.put((flags.session_present, code))
        c.on_subscribe = lambda _c, _u, _m, codes, _p: granted.put(codes)
        c.on_disconnect = lambda *_: self.closed.set()
        if will:
            c.will_set(will, "gone", qos=1)
        port = int(os.environ["MQTT_PORT"])
        if transport == "websockets":
            c.ws_set_options(path="/mqtt")
            port = int(os.environ["MQTT_WS_PORT"])
        if tls:
            c.tls_set(ca_certs=os.environ["MQTT_CA"])
            port = int(os.environ["MQTT_TLS_PORT"])
        more = {}
        if version == 5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = expiry
            more = {"clean_start": clean, "properties": properties}
        c.connect(HOST, port, keepalive=30, **more)
        c.loop_start()
        self.present, code = connected.get(timeout=PATIENCE)
        if code.is_failure:
            raise AssertionError(f"CONNACK {code}")

    def subscribe(self, topic, qos):
        self.c.subscribe(topic, qos)
        code = self.acks.get(timeout=PATIENCE)[0]
        expect("granted QoS", code.value, qos)

    def publish(self, topic, payload, qos, retain=False):
        self.c.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE)

    def next(self):
        return self.messages.get(timeout=PATIENCE)

    def end(self):
        self.c.disconnect()
        self.closed.wait(PATIENCE)
        self.c.loop_stop()

    def die(self):
        """Loses the connection without a DISCONNECT."""
        self.c.loop_stop()
        self.c.socket().close()


def round_trips(version, topic):
    sub, pub = Client(version), Client(version)
    for qos in range(3):
        begin(f"v{version} QoS {qos} both ways")
        sub.subscribe(topic(f"qos{qos}"), qos)
        for i in range(10):
            pub.publish(topic(f"qos{qos}"), f"message {i}", qos)
            m = sub.next()
            expect("payload", m.payload, f"message {i}".encode())
            expect("QoS", m.qos, qos)
    sub.end()
    pub.end()


def retained(version, topic):
    begin(f"v{version} retained")
    pub = Client(version)
    pub.publish(topic("retained"), "kept", 1, retain=True)
    sub = Client(version)
    sub.subscribe(topic("retained"), 1)
    m = sub.next()
    expect("payload", m.payload, b"kept")
    expect("retain", m.retain, True)
    pub.publish(topic("retained"), None, 1, retain=True)
    sub.end()
    pub.end()


def will(version, topic):
    begin(f"v{version} will")
    sub = Client(version)
    sub.subscribe(topic("will"), 1)
    Client(version, will=topic("will")).die()
    expect("payload", sub.next().payload, b"gone")
    sub.end()


def resume(version, topic):
    begin(f"v{version} persistent resume")
    name = f"pahopy-durable-{os.getpid()}-{version}"
    sub = Client(version, client_id=name, clean=False, expiry=60)
    expect("session present", bool(sub.present), False)
    sub.subscribe(topic("resume"), 1)
    sub.end()
    pub = Client(version)
    pub.publish(topic("resume"), "while away", 1)
    sub = Client(version, client_id=name, clean=False, expiry=60)
    expect("session present", bool(sub.present), version != 3)
    expect("payload", sub.next().payload, b"while away")
    sub.end()
    pub.end()


def share(version, topic):
    begin(f"v{version} share group")
    members = [Client(version), Client(version)]
    for m in members:
        m.subscribe(f"$share/pahopy/{topic('share')}", 1)
    pub = Client(version)
    both = queue.Queue()
    for m in members:
        m.c.on_message = lambda _c, _u, m: both.put(m.payload)
    for i in range(20):
        pub.publish(topic("share"), str(i), 1)
    got = [both.get(timeout=PATIENCE) for _ in range(20)]
    expect("distinct messages", len(set(got)), 20)
    for c in [*members, pub]:
        c.end()


def over(name, topic, **how):
    begin(name)
    c = Client(4, **how)
    c.subscribe(topic(name), 1)
    c.publish(topic(name), "secret", 1)
    expect("payload", c.next().payload, b"secret")
    c.end()


def main():
    for version in VERSIONS:
        def topic(name, version=version):
            return f"{PREFIX}/v{version}/{name}"
        for part in (round_trips, retained, will, resume, share):
            part(version, topic)
    over("WebSocket", lambda n: f"{PREFIX}/{n}", transport="websockets")
    if os.environ.get("MQTT_TLS_PORT"):
        over("TLS", lambda n: f"{PREFIX}/{n}", tls=True)
    begin("done")


try:
    main()
except Exception as e:  # a message and the step, whatever it is
    print(f"pahopython: {step}: {type(e).__name__}: {e}", file=sys.stderr, flush=True)
    os._exit(1)
os._exit(0)
