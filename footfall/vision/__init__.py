"""What can be said about pixels; no network and no database."""
