"""Events on their way from Canvas into the raw topic: by HTTPS or from an SQS queue, as they were sent.

`delivery` hands bytes to Kafka and tells when the broker has them; `application` and `https` take requests,
`signed` and `keys` prove signatures, `sqs` empties a queue.
"""
