"""What each part of an installation must be allowed at a Kafka with access control lists, and what lacks."""
