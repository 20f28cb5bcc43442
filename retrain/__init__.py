"""From a dataset to a promoted model; not built yet, so nothing here can be run."""
