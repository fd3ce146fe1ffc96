package bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;

/**
 * Raw `learning_outcome_result_created` event in, typed record out: Jackson's streaming parser straight into a
 * GenericRecord, one table of fields for each record type, Avro's own writer. Not for several threads at once.
 */
final class FanOut {
  private enum Kind { STRING, LONG, DOUBLE, BOOLEAN, TIME, RECORD }

  /** A field of a record: where it is, and what it takes. */
  private record Field(int position, Kind kind, Shape shape, boolean nullable) {}

  /** A record type, its fields by name. */
  private record Shape(Schema schema, Map<String, Field> fields) {
    static Shape of(Schema schema) {
      Map<String, Field> fields = new HashMap<>();
      for (Schema.Field field : schema.getFields()) {
        boolean nullable = field.schema().isNullable();
        Schema type = field.schema();
        if (type.getType() == Schema.Type.UNION) {
          type = type.getTypes().stream().filter(t -> t.getType() != Schema.Type.NULL).findFirst().get();
        }
        Kind kind = switch (type.getType()) {
          case STRING -> Kind.STRING;
          case LONG -> type.getLogicalType() == null ? Kind.LONG : Kind.TIME;
          case DOUBLE -> Kind.DOUBLE;
          case BOOLEAN -> Kind.BOOLEAN;
          case RECORD -> Kind.RECORD;
          default -> throw new IllegalArgumentException("not in this job: " + type);
        };
        fields.put(field.name(), new Field(field.pos(), kind, kind == Kind.RECORD ? of(type) : null, nullable));
      }
      return new Shape(schema, fields);
    }
  }

  private final JsonFactory json = new JsonFactory();
  private final Shape event;
  private final Shape metadata;
  private final Shape body;
  private final int eventId;
  private final int metadataAt;
  private final int bodyAt;
  private final int accountAt;
  private final int userAt;
  private final byte[] header;
  private final GenericDatumWriter<GenericRecord> writer;
  private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(1024);
  private final MessageDigest sha256;
  private BinaryEncoder encoder;

  FanOut(JsonNode schemaText, int schemaId) throws NoSuchAlgorithmException {
    Schema schema = new Schema.Parser().parse(schemaText.toString());
    event = Shape.of(schema);
    metadata = event.fields().get("metadata").shape();
    body = event.fields().get("body").shape();
    eventId = event.fields().get("event_id").position();
    metadataAt = event.fields().get("metadata").position();
    bodyAt = event.fields().get("body").position();
    accountAt = metadata.fields().get("root_account_uuid").position();
    userAt = body.fields().get("user_uuid").position();
    header = new byte[] {
      0, (byte) (schemaId >>> 24), (byte) (schemaId >>> 16), (byte) (schemaId >>> 8), (byte) schemaId
    };
    writer = new GenericDatumWriter<>(schema);
    sha256 = MessageDigest.getInstance("SHA-256");
  }

  /** The validated record. */
  GenericRecord decode(byte[] raw) throws IOException {
    GenericRecord record = new GenericData.Record(event.schema());
    try (JsonParser parser = json.createParser(raw)) {
      expect(parser.nextToken(), JsonToken.START_OBJECT);
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        switch (name) {
          case "metadata" -> record.put(metadataAt, read(parser, metadata));
          case "body" -> record.put(bodyAt, read(parser, body));
          default -> parser.skipChildren();
        }
      }
    }
    record.put(eventId, HexFormat.of().formatHex(sha256.digest(raw), 0, 16));
    return record;
  }

  private static GenericRecord read(JsonParser parser, Shape shape) throws IOException {
    expect(parser.currentToken(), JsonToken.START_OBJECT);
    GenericRecord record = new GenericData.Record(shape.schema());
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      Field field = shape.fields().get(parser.currentName());
      JsonToken token = parser.nextToken();
      if (field == null) {
        parser.skipChildren();
      } else if (token != JsonToken.VALUE_NULL) {
        record.put(field.position(), value(parser, token, field));
      }
    }
    for (Field field : shape.fields().values()) {
      if (!field.nullable() && record.get(field.position()) == null) {
        throw new IOException("a field is missing");
      }
    }
    return record;
  }

  private static Object value(JsonParser parser, JsonToken token, Field field) throws IOException {
    return switch (field.kind()) {
      case STRING -> {
        expect(token, JsonToken.VALUE_STRING);
        yield parser.getText();
      }
      case TIME -> {
        expect(token, JsonToken.VALUE_STRING);
        yield Instant.parse(parser.getText()).toEpochMilli();
      }
      case LONG -> {
        expect(token, JsonToken.VALUE_NUMBER_INT);
        yield parser.getLongValue();
      }
      case DOUBLE -> parser.getDoubleValue();
      case BOOLEAN -> parser.getBooleanValue();
      case RECORD -> read(parser, field.shape());
    };
  }

  private static void expect(JsonToken found, JsonToken wanted) throws IOException {
    if (found != wanted) {
      throw new IOException("not such an event");
    }
  }

  GenericRecord body(GenericRecord record) {
    return (GenericRecord) record.get(bodyAt);
  }

  /** `root_account_uuid:user_uuid`. */
  byte[] key(GenericRecord record) {
    Object account = ((GenericRecord) record.get(metadataAt)).get(accountAt);
    return ((account == null ? "-" : account) + ":" + body(record).get(userAt)).getBytes(StandardCharsets.UTF_8);
  }

  /** The record as Avro in Confluent framing. */
  byte[] encode(GenericRecord record) throws IOException {
    buffer.reset();
    buffer.writeBytes(header);
    encoder = EncoderFactory.get().binaryEncoder(buffer, encoder);
    writer.write(record, encoder);
    encoder.flush();
    return buffer.toByteArray();
  }
}
