"""What can have happened to a camera, in words for people: what it means, who can mend it, and what to do first."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from footfall.domain import DriftCause

Remedy = Literal["camera", "model", "none"]
"""Who can do something: somebody at the camera, a retraining, or nobody because nothing is wrong."""


@dataclass(frozen=True, slots=True)
class About:
    """What a cause means for whoever reads it.

    Attributes:
        means: one line, for people.
        next_step: one line; what to do first.
    """

    remedy: Remedy
    means: str
    next_step: str


ABOUT: Final[Mapping[DriftCause, About]] = MappingProxyType(
    {
        "dark": About("model", "darker than it used to be at this hour", "look at the lamps; label what it sees now"),
        "glare": About("camera", "a lamp or the sun shines into the lens", "shade the camera or turn it away"),
        "fog": About(
            "model", "a whitish veil: fog, rain, steam or a dull lens", "wipe the lens; label what it sees now"
        ),
        "defocus": About("camera", "blurred", "clean and focus the lens"),
        "noise": About("model", "grainy", "look at the lamps and the camera's gain; label what it sees now"),
        "bitrate": About("camera", "block artefacts: the camera compresses too much", "raise the camera's bitrate"),
        "colour": About("model", "another tint", "look at the white balance; label what it sees now"),
        "moved": About("camera", "it looks elsewhere", "turn it back, or accept the view and redraw its lines"),
        "covered": About("camera", "part of the picture is hidden", "uncover and clean the camera"),
        "frozen": About("camera", "the same picture again and again", "restart the camera or its encoder"),
        "stream": About("camera", "too few or broken pictures arrive", "look at the network and the camera"),
        "crowding": About("none", "more people than usual", "nothing, if the reason is known: accept these days"),
        "appearance": About("model", "people look other than they used to", "label what it sees now"),
        "unknown": About("none", "something changed that fits no rule", "look at the pictures before and after"),
    }
)
"""Every cause; a test holds it to that."""

STATISTICS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "luminance": "brightness",
        "contrast": "contrast",
        "sharpness": "sharpness",
        "noise": "noise",
        "saturation": "colourfulness",
        "blockiness": "block artefacts",
        "dark_share": "share of dark pixels",
        "clipped_share": "share of white pixels",
        "persistent_edge_share": "usual edges in place",
        "red_ratio": "red against green",
        "blue_ratio": "blue against green",
        "haze": "haze",
        "bright_blob_share": "largest bright spot",
        "still_share": "share that stands still",
        "view_match": "match with the usual view",
        "faint_share": "hidden or faint parts",
        "light_unevenness": "unevenness of the light",
        "detections": "people in a picture",
        "confidence_mean": "confidence in people",
        "low_confidence_share": "people found doubtfully",
        "box_height_median": "height of people",
        "box_height_by_row": "height of people for their place",
        "edge_touching_share": "people cut by the border",
        "people_brightness": "brightness of clothes",
        "people_saturation": "colourfulness of clothes",
        "track_seconds": "how long people are followed",
        "track_gap_share": "people missed while followed",
        "layout": "where it is how bright and coloured",
    }
)
"""What each statistic, and the layout, is in a few words; a test holds it to all of them."""
