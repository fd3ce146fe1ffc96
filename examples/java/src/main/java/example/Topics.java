package example;

import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads typed topics as they should be read: committed records only, and a position that follows the work. */
final class Topics {
    private static final String USAGE = "[--broker HOST:PORT] [--registry URL] [--prefix canvas.] [--group NAME] [--exit]";

    private final Map<String, String> options = new HashMap<>(Map.of(
            "--broker", "127.0.0.1:9092",
            "--registry", "http://127.0.0.1:6066/registry",
            "--prefix", "canvas."));
    private final boolean untilEnd;

    /** Takes the options that every example has. {@code --exit} ends when all that is there has been read. */
    Topics(String group, String[] arguments) {
        options.put("--group", group);
        untilEnd = Arrays.asList(arguments).contains("--exit");
        var left = Arrays.stream(arguments).filter(word -> !word.equals("--exit")).iterator();
        while (left.hasNext()) {
            String name = left.next();
            if (!options.containsKey(name) || !left.hasNext()) {
                System.err.println("options: " + USAGE);
                System.exit(2);
            }
            options.put(name, left.next());
        }
    }

    /** Hands batch after batch to {@code work}; with {@code commit}, commits its position when that returns. */
    void read(List<String> events, boolean commit, Consumer<ConsumerRecords<String, SpecificRecord>> work) {
        Map<String, Object> config = Map.ofEntries(
                Map.entry("bootstrap.servers", options.get("--broker")),
                Map.entry("group.id", options.get("--group")),
                Map.entry("isolation.level", "read_committed"),
                Map.entry("auto.offset.reset", "earliest"),
                Map.entry("enable.auto.commit", false),
                // How soon a dead one is noticed. Joining a group of the embedded broker takes half of it.
                Map.entry("session.timeout.ms", 6000),
                Map.entry("heartbeat.interval.ms", 2000),
                Map.entry("key.deserializer", StringDeserializer.class),
                Map.entry("value.deserializer", AvroDeserializer.class),
                Map.entry(AvroDeserializer.REGISTRY, options.get("--registry")));
        try (var consumer = new KafkaConsumer<String, SpecificRecord>(config)) {
            consumer.subscribe(events.stream().map(options.get("--prefix")::concat).toList());
            do {
                var records = consumer.poll(Duration.ofMillis(500));
                if (!records.isEmpty()) {
                    work.accept(records);
                    if (commit) {
                        consumer.commitSync();
                    }
                }
            } while (!untilEnd || !atEnd(consumer));
        }
    }

    /** The end is where the last committed record is followed by nothing; markers of transactions take offsets, too. */
    private static boolean atEnd(KafkaConsumer<?, ?> consumer) {
        var ends = consumer.endOffsets(consumer.assignment());
        return !ends.isEmpty()
                && ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }
}
