"""Cameras in, counts out: capture, scheduling, analysis, records, API, pages and metrics; runs for months."""
