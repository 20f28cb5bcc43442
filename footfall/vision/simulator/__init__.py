"""A people scene with exact truth: `sim:` cameras, test footage and training material without a single photograph."""

from footfall.vision.simulator.simulator import Moment, People, Shown, Simulator

__all__ = ["Moment", "People", "Shown", "Simulator"]
