"""The classes of trouble, as data: code, details, meaning and what to do. Nothing detects here.

A code is part of the public interface: once released it keeps its name and its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.components import COMPONENT_TYPES

REGION_ISSUES: Final = ("city_not_in_prov", "district_not_in_city", "district_not_in_prov")
"""The ``issues`` of a result that contradict one another; a renamed place does not."""


@dataclass(frozen=True, slots=True)
class TroubleClass:
    """One class of trouble.

    Attributes:
        code: as it stands in reports and exported files.
        title: what people call it.
        details: what it is told apart by; empty where it has no parts.
        meaning: what was seen, in one sentence.
        remedy: what a person does about it, in one sentence.
    """

    code: str
    title: str
    details: tuple[str, ...]
    meaning: str
    remedy: str


NO_PROVINCE: Final = "no_province"
REGION_CONFLICT: Final = "region_conflict"
UNPARSED_REMAINDER: Final = "unparsed_remainder"
LOW_CONFIDENCE: Final = "low_confidence"
DUPLICATED_PREFIX: Final = "duplicated_prefix"
PERSONAL_DATA: Final = "personal_data"
FOREIGN_TEXT: Final = "foreign_text"
OVER_LONG: Final = "over_long"
LOOKALIKE_CHARACTERS: Final = "lookalike_characters"
SEVERAL_ADDRESSES: Final = "several_addresses"

CLASSES: Final = (
    TroubleClass(
        NO_PROVINCE,
        "No province",
        (),
        "The text names no province, and none follows from its city or district.",
        "Have the publisher send the region with the address; a district’s name alone often "
        "stands for several places.",
    ),
    TroubleClass(
        REGION_CONFLICT,
        "Region contradicts itself",
        REGION_ISSUES,
        "The city does not lie in the province, or the district not in the city or province; and "
        "the text does not hold several addresses.",
        "Look at the examples: a wrong form field at the publisher, or a piece that the model "
        "takes for a district; the latter is worth labelling.",
    ),
    TroubleClass(
        UNPARSED_REMAINDER,
        "Unparsed remainder",
        ("outside", "note", "number", "markup"),
        "Text is left outside all components, beyond connecting words; or a note, a serial number "
        "or a program’s markup was taken for a part of the address.",
        "Delivery notes and order data belong in a field of their own; a part of the address "
        "that is left over is worth labelling.",
    ),
    TroubleClass(
        LOW_CONFIDENCE,
        "Low confidence",
        COMPONENT_TYPES,
        "The model gives the whole a small chance of being right, and no other class says why: "
        "foreign, over-long or left-over text, personal data and second addresses explain it.",
        "Label them: these are the addresses of which the next model learns most.",
    ),
    TroubleClass(
        DUPLICATED_PREFIX,
        "Region written twice",
        (),
        "Province, city or district stand twice at the beginning of the address.",
        "The publisher joins a region field with an address that has the region already: "
        "join only what is missing.",
    ),
    TroubleClass(
        PERSONAL_DATA,
        "Personal data inside",
        ("phone", "id_card", "email", "name"),
        "A phone number, an identity card’s number, an e-mail address or a person’s name stands "
        "in the address.",
        "Have the publisher take it out: results and dead letters carry the text on.",
    ),
    TroubleClass(
        FOREIGN_TEXT,
        "Foreign text",
        ("latin", "kana", "hangul", "cyrillic", "other"),
        "Words of another script than Chinese, beyond a building’s initials.",
        "Route foreign and transliterated addresses elsewhere: the models read Chinese ones.",
    ),
    TroubleClass(
        OVER_LONG,
        "Over-long",
        (),
        "The text is longer than addresses are, or too long to be parsed at all.",
        "Look for order notes, several addresses or markup in the address field.",
    ),
    TroubleClass(
        LOOKALIKE_CHARACTERS,
        "Look-alike characters",
        ("radical", "compatibility", "homoglyph", "invisible"),
        "Characters that only look like the right ones, or cannot be seen at all.",
        "The parser folds radicals and compatibility forms itself; programs that compare the "
        "raw text do not. Find the PDF, font or form that they come from.",
    ),
    TroubleClass(
        SEVERAL_ADDRESSES,
        "Several addresses in one",
        (),
        "A second address begins after the first one has come down to its street or building.",
        "Have the publisher send one address each: only the first span of a type reaches the "
        "flat view.",
    ),
)
"""Every class, in the order in which pages list them."""

BY_CODE: Final = {one.code: one for one in CLASSES}
