package example;

import java.util.List;

/** Prints every record of the twelve topics as a line of JSON, and goes on where it was when it is started again. */
public final class PrintRecords {
    private static final List<String> EVENTS = List.of(
            "learning_outcome_created",
            "learning_outcome_updated",
            "learning_outcome_group_created",
            "learning_outcome_group_updated",
            "learning_outcome_link_created",
            "learning_outcome_link_updated",
            "learning_outcome_result_created",
            "learning_outcome_result_updated",
            "outcome_proficiency_created",
            "outcome_proficiency_updated",
            "outcomes.retry_outcome_alignment_clone",
            "rubric_assessed");

    public static void main(String[] arguments) {
        new Topics("print-records", arguments).read(EVENTS, true, records -> {
            for (var record : records) {
                System.out.println(record.value());
            }
        });
    }
}
