package test;

import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.eclipse.paho.client.mqttv3.IMqttDeliveryToken;
import org.eclipse.paho.client.mqttv3.IMqttToken;
import org.eclipse.paho.client.mqttv3.MqttAsyncClient;
import org.eclipse.paho.client.mqttv3.MqttCallback;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

/** Paho Java, the core of its Android service, against a broker, step by step: the first that fails ends it. */
public final class Main {
    private static final long PATIENCE = 15_000; // milliseconds
    private static String step = "start";
    private static int clients;

    private final int version;

    private Main(int version) {
        this.version = version;
    }

    public static void main(String[] args) {
        try {
            for (int version : new int[] {MqttConnectOptions.MQTT_VERSION_3_1, MqttConnectOptions.MQTT_VERSION_3_1_1}) {
                Main m = new Main(version);
                m.roundTrips();
                m.retained();
                m.will();
                m.resume();
                m.share();
            }
            Main m = new Main(MqttConnectOptions.MQTT_VERSION_3_1_1);
            m.over("WebSocket", "ws://" + env("MQTT_HOST") + ":" + env("MQTT_WS_PORT") + "/mqtt");
            if (!env("MQTT_TLS_PORT").isEmpty()) {
                m.over("TLS", "ssl://" + env("MQTT_HOST") + ":" + env("MQTT_TLS_PORT"));
            }
            System.out.println("done");
        } catch (Exception e) {
            System.err.println("pahojava: " + step + ": " + e);
            System.exit(1);
        }
        System.exit(0);
    }

    private static String env(String name) {
        String value = System.getenv(name);
        return value == null ? "" : value;
    }

    private void begin(String name) {
        step = "v" + version + " " + name;
        System.out.println(step);
    }

    private String topic(String name) {
        return env("MQTT_PREFIX") + "/v" + version + "/" + name;
    }

    private static void expect(String what, Object got, Object want) {
        if (!got.equals(want)) {
            throw new IllegalStateException(what + " is " + got + ", want " + want);
        }
    }

    private MqttConnectOptions options() {
        MqttConnectOptions o = new MqttConnectOptions();
        o.setMqttVersion(version);
        o.setUserName(env("MQTT_USERNAME"));
        o.setPassword(env("MQTT_PASSWORD").toCharArray());
        return o;
    }

    /** A connection and what it receives. */
    private static final class Client implements MqttCallback {
        final MqttAsyncClient client;
        final BlockingQueue<MqttMessage> arrived = new LinkedBlockingQueue<>();
        final boolean present;

        Client(String uri, String id, MqttConnectOptions o) throws Exception {
            client = new MqttAsyncClient(uri, id, new MemoryPersistence());
            client.setCallback(this);
            IMqttToken token = client.connect(o);
            token.waitForCompletion(PATIENCE);
            present = token.getSessionPresent();
        }

        @Override
        public void connectionLost(Throwable cause) {}

        @Override
        public void messageArrived(String topic, MqttMessage message) {
            arrived.add(message);
        }

        @Override
        public void deliveryComplete(IMqttDeliveryToken token) {}

        void subscribe(String filter, int qos) throws Exception {
            IMqttToken token = client.subscribe(filter, qos);
            token.waitForCompletion(PATIENCE);
            expect("granted QoS", token.getGrantedQos()[0], qos);
        }

        void publish(String topic, String payload, int qos, boolean retained) throws Exception {
            client.publish(topic, payload.getBytes(StandardCharsets.UTF_8), qos, retained).waitForCompletion(PATIENCE);
        }

        MqttMessage next(String payload) throws Exception {
            MqttMessage m = arrived.poll(PATIENCE, TimeUnit.MILLISECONDS);
            if (m == null) {
                throw new IllegalStateException("no message in time");
            }
            expect("payload", new String(m.getPayload(), StandardCharsets.UTF_8), payload);
            return m;
        }

        void end() throws Exception {
            client.disconnect().waitForCompletion(PATIENCE);
            client.close();
        }
    }

    private static String tcp() {
        return "tcp://" + env("MQTT_HOST") + ":" + env("MQTT_PORT");
    }

    private static String id() {
        return "pahojava-" + ProcessHandle.current().pid() % 100_000 + "-" + ++clients;
    }

    private Client client() throws Exception {
        return new Client(tcp(), id(), options());
    }

    private void roundTrips() throws Exception {
        Client sub = client();
        Client pub = client();
        for (int qos = 0; qos < 3; qos++) {
            begin("QoS " + qos + " both ways");
            sub.subscribe(topic("qos" + qos), qos);
            for (int i = 0; i < 10; i++) {
                pub.publish(topic("qos" + qos), "message " + i, qos, false);
                expect("QoS", sub.next("message " + i).getQos(), qos);
            }
        }
        sub.end();
        pub.end();
    }

    private void retained() throws Exception {
        begin("retained");
        Client pub = client();
        pub.publish(topic("retained"), "kept", 1, true);
        Client sub = client();
        sub.subscribe(topic("retained"), 1);
        expect("retained", sub.next("kept").isRetained(), true);
        pub.publish(topic("retained"), "", 1, true);
        sub.end();
        pub.end();
    }

    private void will() throws Exception {
        begin("will");
        Client sub = client();
        sub.subscribe(topic("will"), 1);
        MqttConnectOptions o = options();
        o.setWill(topic("will"), "gone".getBytes(StandardCharsets.UTF_8), 1, false);
        Client lost = new Client(tcp(), id(), o);
        lost.client.disconnectForcibly(0, 1, false); // without a DISCONNECT
        sub.next("gone");
        sub.end();
    }

    private void resume() throws Exception {
        begin("persistent resume");
        String name = "pahojava-d-" + ProcessHandle.current().pid() % 100_000 + "-" + version;
        MqttConnectOptions o = options();
        o.setCleanSession(false);
        Client sub = new Client(tcp(), name, o);
        expect("session present", sub.present, false);
        sub.subscribe(topic("resume"), 1);
        sub.end();
        Client pub = client();
        pub.publish(topic("resume"), "while away", 1, false);
        sub = new Client(tcp(), name, o);
        expect("session present", sub.present, version == MqttConnectOptions.MQTT_VERSION_3_1_1);
        sub.next("while away");
        sub.end();
        pub.end();
    }

    private void share() throws Exception {
        begin("share group");
        Client one = client();
        Client two = client();
        Client pub = client();
        one.subscribe("$share/pahojava/" + topic("share"), 1);
        two.subscribe("$share/pahojava/" + topic("share"), 1);
        for (int i = 0; i < 20; i++) {
            pub.publish(topic("share"), String.valueOf(i), 1, false);
        }
        Set<String> seen = new HashSet<>();
        long deadline = System.currentTimeMillis() + PATIENCE;
        int got = 0;
        while (seen.size() < 20 && System.currentTimeMillis() < deadline) {
            for (Client c : new Client[] {one, two}) {
                MqttMessage m = c.arrived.poll(50, TimeUnit.MILLISECONDS);
                if (m != null) {
                    got++;
                    seen.add(new String(m.getPayload(), StandardCharsets.UTF_8));
                }
            }
        }
        expect("distinct messages", seen.size(), 20);
        expect("messages", got, 20);
        one.end();
        two.end();
        pub.end();
    }

    private void over(String name, String uri) throws Exception {
        begin(name);
        MqttConnectOptions o = options();
        if (uri.startsWith("ssl:")) {
            o.setSocketFactory(trusting(env("MQTT_CA")).getSocketFactory());
        }
        Client c = new Client(uri, id(), o);
        c.subscribe(topic(name), 1);
        c.publish(topic(name), "secret", 1, false);
        c.next("secret");
        c.end();
    }

    private static SSLContext trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream in = new FileInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
