"""Looking at what the raw topic holds, before a worker does or beside it."""
