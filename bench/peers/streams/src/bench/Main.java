package bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Peer: Kafka Streams. From the raw topic to the typed one, with "state" also the last results of each user
 * and outcome in RocksDB with changelog; the raw events are keyed by user there.
 *
 * <p>Arguments: guarantee (exactly_once_v2 or at_least_once), threads, state folder, "state" or "fan-out". The
 * task is in BENCH_TASK, as for the other peers. Batches are large and compressed, and it commits once a second:
 * by itself it does so every 100 ms with exactly_once_v2, which costs it throughput, and every 30 s otherwise.
 */
public final class Main {
  private static final String STORE = "last_results";

  /** One for each task of Kafka Streams. */
  private static final class Work implements Processor<byte[], byte[], byte[], byte[]> {
    private final FanOut fanOut;
    private final LastResults lastResults;
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<String, byte[]> store;

    Work(FanOut fanOut, LastResults lastResults) {
      this.fanOut = fanOut;
      this.lastResults = lastResults;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> given) {
      context = given;
      store = lastResults == null ? null : given.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> raw) {
      try {
        GenericRecord record = fanOut.decode(raw.value());
        if (store != null) {
          GenericRecord body = fanOut.body(record);
          String place = lastResults.place(body);
          store.put(place, lastResults.with(store.get(place), body));
        }
        context.forward(new Record<>(fanOut.key(record), fanOut.encode(record), raw.timestamp()));
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }

  private static Topology topology(JsonNode task, boolean withState) {
    JsonNode schema = task.get("schema");
    int id = task.get("schema_id").intValue();
    Topology topology = new Topology();
    topology.addSource(
        "raw",
        Serdes.ByteArray().deserializer(),
        Serdes.ByteArray().deserializer(),
        task.get("raw_topic").textValue());
    topology.addProcessor(
        "work",
        () -> {
          try {
            org.apache.avro.Schema typed = new org.apache.avro.Schema.Parser().parse(schema.toString());
            LastResults results = withState ? new LastResults(typed.getField("body").schema()) : null;
            return new Work(new FanOut(schema, id), results);
          } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
          }
        },
        "raw");
    if (withState) {
      topology.addStateStore(
          Stores.keyValueStoreBuilder(
                  Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.ByteArray())
              .withCachingEnabled(),
          "work");
    }
    topology.addSink(
        "typed",
        task.get("typed_topic").textValue(),
        Serdes.ByteArray().serializer(),
        Serdes.ByteArray().serializer(),
        "work");
    return topology;
  }

  private static Properties properties(JsonNode task, String guarantee, String threads, String folder) {
    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, task.get("group").textValue());
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, task.get("broker").textValue());
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, folder);
    properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "1000");
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), String.valueOf(1 << 20));
    return properties;
  }

  public static void main(String[] arguments) throws Exception {
    JsonNode task = new ObjectMapper().readTree(System.getenv("BENCH_TASK"));
    Topology topology = topology(task, arguments[3].equals("state"));
    KafkaStreams streams = new KafkaStreams(topology, properties(task, arguments[0], arguments[1], arguments[2]));
    CountDownLatch failed = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          failed.countDown();
          return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse
              .SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
    streams.start();
    failed.await();
    System.exit(1);
  }
}
