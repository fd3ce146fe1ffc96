package bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericRecord;

/** The last results of a user in an outcome, as JSON: id, score, when it was assessed (ms) of each. */
final class LastResults {
  private static final int KEPT = 10;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final int id;
  private final int score;
  private final int assessedAt;
  private final int user;
  private final int outcome;

  LastResults(Schema body) {
    id = body.getField("id").pos();
    score = body.getField("score").pos();
    assessedAt = body.getField("assessed_at").pos();
    user = body.getField("user_uuid").pos();
    outcome = body.getField("learning_outcome_id").pos();
  }

  /** Where they are kept. */
  String place(GenericRecord body) {
    return body.get(user) + ":" + body.get(outcome);
  }

  /** What is kept (null: nothing yet), with one more. */
  byte[] with(byte[] kept, GenericRecord body) throws IOException {
    ArrayNode rows = kept == null ? JsonNodeFactory.instance.arrayNode() : (ArrayNode) JSON.readTree(kept);
    if (rows.size() == KEPT) {
      rows.remove(0);
    }
    ArrayNode row = rows.addArray();
    row.add((String) body.get(id));
    row.add((Double) body.get(score));
    row.add((Long) body.get(assessedAt));
    return JSON.writeValueAsBytes(rows);
  }
}
