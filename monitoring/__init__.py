"""Windows, drift, causes, precision and the trigger of a retraining; so far only the figures of quality are built."""
