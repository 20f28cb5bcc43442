"""What goes wrong with a camera's pictures, done to any picture on purpose: stress tests, simulated cameras, training.

An effect takes a picture and a severity; which effects there are, in which order they come and when, is the business of
`Degrader`. docs/degradations.md says what each imitates and what its severities mean.
"""

from footfall.vision.degradation.degrader import Degrader
from footfall.vision.degradation.pictures import turned_boxes

__all__ = ["Degrader", "turned_boxes"]
