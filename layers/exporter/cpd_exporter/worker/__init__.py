"""The worker: a message in, objects and events out."""
