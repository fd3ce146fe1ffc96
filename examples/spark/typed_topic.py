r"""A typed topic as a table in Spark, decoded with `from_avro`.

    pip install pyspark==4.0.1 'confluent-kafka[schemaregistry]'
    spark-submit --packages \
        org.apache.spark:spark-avro_2.13:4.0.1,org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.1 \
        typed_topic.py canvas.rubric_assessed http://127.0.0.1:6066/registry 127.0.0.1:9092

`from_avro` knows nothing of Confluent's framing and takes one writer schema. So the five bytes before the
record are cut off, and records of each schema id are decoded with the schema of that id: to decode all with
the newest would give wrong values, or fail, for the older ones. All come out in the form of the newest.
"""

import sys

from confluent_kafka.schema_registry import SchemaRegistryClient
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.functions import col, expr


def decoded(framed: DataFrame, subject: str, registry: SchemaRegistryClient) -> DataFrame:
    """Columns `event_id`, `metadata` and `body`, of a frame with framed records in the column `value`."""
    newest = registry.get_latest_version(subject).schema.schema_str
    parts = framed.select(
        expr("int(conv(hex(substring(value, 2, 4)), 16, 10))").alias("schema_id"),
        expr("substring(value, 6)").alias("avro"),
    )
    frames = []
    for (schema_id,) in parts.select("schema_id").distinct().collect():
        written = registry.get_schema(schema_id).schema_str
        record = from_avro("avro", written, {"avroSchema": newest, "mode": "FAILFAST"})
        frames.append(parts.where(col("schema_id") == schema_id).select(record.alias("record")))
    if not frames:
        raise SystemExit(f"no records of {subject} yet")
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    return whole.select("record.*")


def main(topic: str, registry_url: str, broker: str) -> None:
    """Print the form of the records and the first of them."""
    spark = (
        SparkSession.builder.appName("typed-topic").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    )
    framed = (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", broker)
        .option("kafka.isolation.level", "read_committed")
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .load()
    )
    records = decoded(framed, f"{topic}-value", SchemaRegistryClient({"url": registry_url}))
    records.printSchema()
    records.orderBy("metadata.event_time").show(20, truncate=40)


if __name__ == "__main__":
    main(*sys.argv[1:])
