"""What existed in Canvas before the stream began: exports become events on the raw topic.

    files --rows--> kinds --parts--> events --> sink (raw topic or file)
                      |                |
                  directory (uuids, scales: looked up, not sent)

`run.Backfill` goes through all files in order, and `stamps` is the rule by which a live event always wins.
"""
