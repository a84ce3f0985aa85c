/* Paho C (the synchronous MQTTClient) against a broker, step by step: the first
 * that fails ends the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

#include "MQTTClient.h"

enum { PATIENCE = 15000, ROOM = 512 }; /* milliseconds, bytes */

static const char *step = "start";
static int version; /* MQTTVERSION_3_1, _3_1_1 or _5 */

static void fail(const char *why, int code) {
	fprintf(stderr, "pahoc: v%d %s: %s (%d)\n", version, step, why, code);
	exit(1);
}

static void begin(const char *name) {
	step = name;
	printf("v%d %s\n", version, name);
	fflush(stdout);
}

static const char *env(const char *name) {
	const char *value = getenv(name);
	return value ? value : "";
}

/* topic returns a topic of this version; the memory is the program's till its end. */
static char *topic(const char *prefix, const char *name) {
	char *out = malloc(ROOM);
	snprintf(out, ROOM, "%s%s/v%d/%s", prefix, env("MQTT_PREFIX"), version, name);
	return out;
}

static MQTTClient create(const char *id) {
	static int clients;
	char url[ROOM], name[ROOM];
	MQTTClient c;
	snprintf(url, sizeof url, "tcp://%s:%s", env("MQTT_HOST"), env("MQTT_PORT"));
	snprintf(name, sizeof name, "%s-%d-%d-%d", id ? id : "pahoc", (int)getpid(), version, id ? 0 : ++clients);
	MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
	options.MQTTVersion = version;
	int rc = MQTTClient_createWithOptions(&c, url, name, MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
	if (rc != MQTTCLIENT_SUCCESS) fail("create", rc);
	return c;
}

/* dial connects; durable means a session that outlives the connection. It
 * returns Session Present. */
static int dial(MQTTClient c, int durable, MQTTClient_willOptions *will) {
	MQTTClient_connectOptions v3 = MQTTClient_connectOptions_initializer;
	MQTTClient_connectOptions v5 = MQTTClient_connectOptions_initializer5;
	MQTTClient_connectOptions o = version == MQTTVERSION_5 ? v5 : v3;
	o.MQTTVersion = version;
	o.username = env("MQTT_USERNAME");
	o.password = env("MQTT_PASSWORD");
	o.connectTimeout = PATIENCE / 1000;
	o.will = will;
	if (version != MQTTVERSION_5) {
		o.cleansession = !durable;
		int rc = MQTTClient_connect(c, &o);
		if (rc != MQTTCLIENT_SUCCESS) fail("CONNECT", rc);
		return o.returned.sessionPresent;
	}
	o.cleanstart = !durable;
	MQTTProperties props = MQTTProperties_initializer;
	MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = durable ? 60 : 0};
	MQTTProperties_add(&props, &expiry);
	MQTTResponse r = MQTTClient_connect5(c, &o, &props, NULL);
	if (r.reasonCode != MQTTREASONCODE_SUCCESS) fail("CONNECT", r.reasonCode);
	MQTTProperties_free(&props);
	MQTTResponse_free(r);
	return o.returned.sessionPresent;
}

static MQTTClient fresh(void) {
	MQTTClient c = create(NULL);
	dial(c, 0, NULL);
	return c;
}

static void end(MQTTClient c) {
	int rc = version == MQTTVERSION_5 ? MQTTClient_disconnect5(c, 1000, MQTTREASONCODE_SUCCESS, NULL)
	                                  : MQTTClient_disconnect(c, 1000);
	if (rc != MQTTCLIENT_SUCCESS) fail("DISCONNECT", rc);
	MQTTClient_destroy(&c);
}

static void subscribe(MQTTClient c, const char *filter, int qos) {
	int granted;
	if (version == MQTTVERSION_5) {
		MQTTResponse r = MQTTClient_subscribe5(c, filter, qos, NULL, NULL);
		granted = r.reasonCode;
		MQTTResponse_free(r);
	} else {
		granted = MQTTClient_subscribe(c, filter, qos);
		if (granted == MQTTCLIENT_SUCCESS) granted = qos; /* the library checks it, and returns 0 */
	}
	if (granted != qos) fail("granted QoS", granted);
}

static void publish(MQTTClient c, const char *name, const char *payload, int qos, int retained) {
	MQTTClient_deliveryToken token;
	int rc;
	if (version == MQTTVERSION_5) {
		MQTTResponse r = MQTTClient_publish5(c, name, (int)strlen(payload), payload, qos, retained, NULL, &token);
		rc = r.reasonCode;
		MQTTResponse_free(r);
	} else {
		rc = MQTTClient_publish(c, name, (int)strlen(payload), payload, qos, retained, &token);
	}
	if (rc != MQTTCLIENT_SUCCESS) fail("PUBLISH", rc);
	if (qos > 0 && (rc = MQTTClient_waitForCompletion(c, token, PATIENCE)) != MQTTCLIENT_SUCCESS) fail("no acknowledgement", rc);
}

/* next waits for a message; qos and retained below 0 are not looked at. It
 * returns 0 if there is none in time. */
static int next(MQTTClient c, const char *payload, int qos, int retained, int within) {
	char *name = NULL;
	int length = 0;
	MQTTClient_message *m = NULL;
	int rc = MQTTClient_receive(c, &name, &length, &m, within);
	if (rc != MQTTCLIENT_SUCCESS && rc != MQTTCLIENT_TOPICNAME_TRUNCATED) fail("receive", rc);
	if (m == NULL) return 0;
	if (payload && (m->payloadlen != (int)strlen(payload) || memcmp(m->payload, payload, m->payloadlen) != 0)) fail("another payload", m->payloadlen);
	if (qos >= 0 && m->qos != qos) fail("another QoS", m->qos);
	if (retained >= 0 && m->retained != retained) fail("another RETAIN", m->retained);
	MQTTClient_freeMessage(&m);
	MQTTClient_free(name);
	return 1;
}

static void want(MQTTClient c, const char *payload, int qos, int retained) {
	if (!next(c, payload, qos, retained, PATIENCE)) fail("no message in time", 0);
}

static void round_trips(void) {
	static const char *names[] = {"QoS 0 both ways", "QoS 1 both ways", "QoS 2 both ways"};
	MQTTClient sub = fresh(), pub = fresh();
	for (int qos = 0; qos < 3; qos++) {
		begin(names[qos]);
		subscribe(sub, topic("", names[qos]), qos);
		for (int i = 0; i < 10; i++) {
			char text[ROOM];
			snprintf(text, sizeof text, "message %d", i);
			publish(pub, topic("", names[qos]), text, qos, 0);
			want(sub, text, qos, 0);
		}
	}
	end(sub);
	end(pub);
}

static void retained(void) {
	begin("retained");
	MQTTClient pub = fresh(), sub = fresh();
	publish(pub, topic("", "retained"), "kept", 1, 1);
	subscribe(sub, topic("", "retained"), 1);
	want(sub, "kept", 1, 1);
	publish(pub, topic("", "retained"), "", 1, 1);
	end(sub);
	end(pub);
}

/* will leaves a connection in a child process that ends without a DISCONNECT.
 * The child starts the library on its own: it has no threads of the parent's. */
static void will(const char *self) {
	begin("will");
	MQTTClient sub = fresh();
	subscribe(sub, topic("", "will"), 1);
	char command[ROOM];
	snprintf(command, sizeof command, "'%s' will %d", self, version);
	if (system(command) != 0) fail("the client that is lost", 0);
	want(sub, "gone", 1, 0);
	end(sub);
}

static int lost(int v) {
	version = v;
	begin("will, the client that is lost");
	MQTTClient_willOptions o = MQTTClient_willOptions_initializer;
	o.topicName = topic("", "will");
	o.message = "gone";
	o.qos = 1;
	dial(create("pahoc-lost"), 0, &o);
	_exit(0);
}

static void resume(void) {
	begin("persistent resume");
	MQTTClient sub = create("pahoc-durable"), pub = fresh();
	if (dial(sub, 1, NULL)) fail("a session is present", 1);
	subscribe(sub, topic("", "resume"), 1);
	end(sub);
	publish(pub, topic("", "resume"), "while away", 1, 0);
	sub = create("pahoc-durable");
	/* MQTT 3.1 has no Session Present, and the library does not tell that of 5.0. */
	if (!dial(sub, 1, NULL) && version == MQTTVERSION_3_1_1) fail("no session is present", 0);
	want(sub, "while away", 1, 0);
	end(sub);
	end(pub);
}

static void share(void) {
	begin("share group");
	MQTTClient one = fresh(), two = fresh(), pub = fresh();
	subscribe(one, topic("$share/pahoc/", "share"), 1);
	subscribe(two, topic("$share/pahoc/", "share"), 1);
	for (int i = 0; i < 20; i++) publish(pub, topic("", "share"), "x", 1, 0);
	int got = 0;
	time_t deadline = time(NULL) + PATIENCE / 1000;
	while (got < 20 && time(NULL) < deadline) got += next(one, "x", 1, 0, 100) + next(two, "x", 1, 0, 100);
	/* One more would be a copy: the library has whatever came. */
	got += next(one, NULL, -1, -1, 100) + next(two, NULL, -1, -1, 100);
	if (got != 20) fail("messages", got);
	end(one);
	end(two);
	end(pub);
}

int main(int argc, char **argv) {
	static const int versions[] = {MQTTVERSION_3_1, MQTTVERSION_3_1_1, MQTTVERSION_5};
	if (argc == 3) return lost(atoi(argv[2]));
	for (unsigned i = 0; i < sizeof versions / sizeof *versions; i++) {
		version = versions[i];
		round_trips();
		retained();
		will(argv[0]);
		resume();
		share();
	}
	begin("done");
	return 0;
}
