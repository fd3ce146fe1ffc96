"""The Avro contract: schemas, models, encoder and decoder made from them, registry."""
