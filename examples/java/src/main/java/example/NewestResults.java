package example;

import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import mastery_stream.canvas.LearningOutcomeResultCreated;
import mastery_stream.canvas.LearningOutcomeResultUpdated;
import org.apache.avro.specific.SpecificRecord;

/**
 * Keeps the newest version of every learning outcome result, and prints a row whenever it changes.
 *
 * <p>Canvas delivers out of order and twice, so versions are compared. The rows are in memory here, so nothing is
 * committed: every start, and every partition that moves here from another instance, begins with the oldest record. A
 * store that outlives the process does what {@link #take} does, in one transaction for each batch, and commits after it.
 */
public final class NewestResults {
    /** Local ids are unique within a root account. */
    record Id(String rootAccount, String result) {}

    /** What a later event is told by: an update beats a creation, then the first difference counts. */
    record Version(boolean update, Instant updatedAt, Instant eventTime, String eventId)
            implements Comparable<Version> {
        private static final Comparator<Version> ORDER = Comparator.comparing(Version::update)
                .thenComparing(Version::updatedAt)
                .thenComparing(Version::eventTime)
                .thenComparing(Version::eventId);

        @Override
        public int compareTo(Version other) {
            return ORDER.compare(this, other);
        }
    }

    /** Every event is the whole row as it was then: a score that is null was cleared. */
    record Row(Id id, Version version, String user, String outcome, String state, Double score) {}

    private final Map<Id, Row> rows = new HashMap<>();

    public static void main(String[] arguments) {
        var results = new NewestResults();
        var events = List.of("learning_outcome_result_created", "learning_outcome_result_updated");
        new Topics("newest-results-in-memory", arguments).read(events, false, records -> {
            for (var record : records) {
                results.take(row(record.value()));
            }
        });
    }

    private void take(Row row) {
        if (row.id.result == null) {
            return; // from an older Canvas: docs/topics.md says what stands for the id
        }
        Row known = rows.get(row.id);
        if (known == null || row.version.compareTo(known.version) > 0) {
            rows.put(row.id, row);
            System.out.println(String.join(
                    "\t", row.id.rootAccount, row.id.result, row.user, row.outcome, row.state, "" + row.score));
        }
    }

    private static Row row(SpecificRecord record) {
        if (record instanceof LearningOutcomeResultUpdated event) {
            var metadata = event.getMetadata();
            var body = event.getBody();
            return new Row(
                    new Id(orDash(metadata.getRootAccountUuid()), body.getId()),
                    new Version(true, body.getUpdatedAt(), metadata.getEventTime(), event.getEventId()),
                    body.getUserUuid(),
                    body.getLearningOutcomeId(),
                    orActive(body.getWorkflowState()),
                    body.getScore());
        }
        if (record instanceof LearningOutcomeResultCreated event) {
            var metadata = event.getMetadata();
            var body = event.getBody();
            return new Row(
                    new Id(orDash(metadata.getRootAccountUuid()), body.getId()),
                    new Version(false, Instant.EPOCH, metadata.getEventTime(), event.getEventId()),
                    body.getUserUuid(),
                    body.getLearningOutcomeId(),
                    orActive(body.getWorkflowState()),
                    body.getScore());
        }
        throw new IllegalArgumentException(record.getSchema().getFullName());
    }

    private static String orDash(String account) {
        return account == null ? "-" : account;
    }

    private static String orActive(String state) {
        return state == null ? "active" : state;
    }
}
