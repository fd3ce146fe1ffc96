package example;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.avro.io.DatumReader;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads Avro in Confluent's framing into generated classes: a zero byte, four bytes of schema id, the record.
 *
 * <p>The schema that a record was written with comes from {@value #REGISTRY}: a schema registry, or
 * {@code /registry} of any worker. The record is resolved to the schema its class was generated from, so fields that
 * are newer than the class are skipped, and fields that the record does not have yet are null.
 */
public final class AvroDeserializer implements Deserializer<SpecificRecord> {
    /** Base address, such as {@code http://127.0.0.1:6066/registry}, or {@code http://user:password@host/path}. */
    public static final String REGISTRY = "schema.registry.url";

    private static final int HEADER = 1 + Integer.BYTES;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    private final Map<Integer, DatumReader<SpecificRecord>> readers = new ConcurrentHashMap<>();
    private String registry;
    private String login;

    @Override
    public void configure(Map<String, ?> config, boolean isKey) {
        var address = URI.create(config.get(REGISTRY).toString().replaceAll("/+$", ""));
        login = address.getUserInfo();
        registry = address.getRawUserInfo() == null
                ? address.toString()
                : address.toString().replace(address.getRawUserInfo() + "@", "");
    }

    @Override
    public SpecificRecord deserialize(String topic, byte[] framed) {
        if (framed == null) {
            return null;
        }
        if (framed.length < HEADER || framed[0] != 0) {
            throw new SerializationException("not framed as Confluent does, in " + topic);
        }
        int id = ByteBuffer.wrap(framed).getInt(1);
        try {
            var avro = DecoderFactory.get().binaryDecoder(framed, HEADER, framed.length - HEADER, null);
            return readers.computeIfAbsent(id, this::reader).read(null, avro);
        } catch (IOException e) {
            throw new SerializationException("a record of schema " + id + " cannot be decoded, in " + topic, e);
        }
    }

    private DatumReader<SpecificRecord> reader(int id) {
        Schema written = new Schema.Parser().parse(schema(id));
        Class<?> type = SpecificData.get().getClass(written);
        if (type == null) {
            throw new SerializationException("no class was generated for " + written.getFullName());
        }
        SpecificData model = SpecificData.getForClass(type);
        return new SpecificDatumReader<>(written, model.getSchema(type), model);
    }

    private String schema(int id) {
        var request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id))
                .timeout(Duration.ofSeconds(10));
        if (login != null) {
            request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString(login.getBytes(UTF_8)));
        }
        try {
            var answer = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new SerializationException("schema " + id + ": the registry answers " + answer.statusCode());
            }
            return JSON.readTree(answer.body()).required("schema").asText();
        } catch (IOException e) {
            throw new SerializationException("schema " + id + ": the registry cannot be asked", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SerializationException("schema " + id + ": interrupted", e);
        }
    }
}
