"""The address components that a model can name, in their canonical order.

Source: the label set of ``damo/mgeo_geographic_elements_tagging_chinese_base`` (17 types)
plus ``roomno``, which the annotation guide of Li et al. (NAACL 2019) has and MGeo's
published checkpoint lacks. A checkpoint's own label map decides what it really emits.
"""

from __future__ import annotations

from typing import Final

COMPONENT_TYPES: Final = (
    "prov",
    "city",
    "district",
    "devzone",
    "town",
    "community",
    "village_group",
    "road",
    "roadno",
    "intersection",
    "poi",
    "subpoi",
    "houseno",
    "cellno",
    "floorno",
    "roomno",
    "distance",
    "assist",
)
"""Every component type, in the order in which a written address usually has them."""

CORE_TYPES: Final = ("prov", "city", "district", "town", "road", "roadno", "poi")
"""The types by which an address can be delivered to; quality figures name them apart."""

ADMINISTRATIVE_TYPES: Final = ("prov", "city", "district")
"""The types that the gazetteer may complete."""
