"""What a worker serves over HTTP: health, metrics, schemas."""
