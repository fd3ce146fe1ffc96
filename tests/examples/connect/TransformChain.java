import com.fasterxml.jackson.databind.ObjectMapper;
import io.apicurio.registry.utils.converter.avro.AvroData;
import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.file.DataFileReader;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Applies the transforms of a connector's configuration, as Connect does, to the records of an Avro file.
 *
 * <p>Arguments: configuration, Avro file, topic. Prints for each record a line of JSON: the topic it goes to, its
 * columns with their types, their values.
 */
public class TransformChain {
    public static void main(String[] arguments) throws Exception {
        var json = new ObjectMapper();
        var config = json.readTree(new File(arguments[0])).get("config");
        Map<String, String> options = new HashMap<>();
        config.fields().forEachRemaining(entry -> options.put(entry.getKey(), entry.getValue().asText()));
        List<Transformation<SinkRecord>> chain = new ArrayList<>();
        for (String name : options.get("transforms").split(",")) {
            chain.add(transform(options, "transforms." + name + "."));
        }
        var connect = new AvroData(10);
        try (var reader = new DataFileReader<GenericRecord>(Path.of(arguments[1]).toFile(), new GenericDatumReader<>())) {
            for (GenericRecord avro : reader) {
                var value = connect.toConnectData(avro.getSchema(), avro);
                var record = new SinkRecord(
                        arguments[2], 0, Schema.STRING_SCHEMA, "key", value.schema(), value.value(), 0);
                for (var transform : chain) {
                    record = transform.apply(record);
                }
                System.out.println(json.writeValueAsString(shown(record)));
            }
        }
    }

    @SuppressWarnings("unchecked")
    private static Transformation<SinkRecord> transform(Map<String, String> options, String prefix) throws Exception {
        var type = Class.forName(options.get(prefix + "type"));
        var transform = (Transformation<SinkRecord>) type.getDeclaredConstructor().newInstance();
        Map<String, String> own = new HashMap<>();
        options.forEach((name, value) -> {
            if (name.startsWith(prefix)) {
                own.put(name.substring(prefix.length()), value);
            }
        });
        transform.configure(own);
        return transform;
    }

    private static Map<String, Object> shown(SinkRecord record) {
        Map<String, Object> columns = new LinkedHashMap<>();
        Map<String, Object> values = new LinkedHashMap<>();
        for (Field field : record.valueSchema().fields()) {
            columns.put(field.name(), field.schema().type().toString());
            Object value = ((Struct) record.value()).get(field);
            values.put(field.name(), value == null || value instanceof Number || value instanceof Boolean ? value : "" + value);
        }
        return Map.of("topic", record.topic(), "columns", columns, "values", values);
    }
}
