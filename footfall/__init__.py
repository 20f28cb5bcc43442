"""What the programs share: the domain's words, settings, errors, vision algorithms and stores."""

__version__ = "0.1.0"
