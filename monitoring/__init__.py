"""Windows, drift, causes and the trigger of a retraining; not built yet, so nothing here can be run."""
