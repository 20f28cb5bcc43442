"""The records made durable."""
