"""The demo's addresses are made up, come again as often as asked, and name nobody's telephone."""

from __future__ import annotations

import re
from itertools import islice

import pytest

from deploy.demo.traffic import addresses


def test_the_same_seed_gives_the_same_traffic() -> None:
    assert list(islice(addresses(7), 200)) == list(islice(addresses(7), 200))
    assert list(islice(addresses(7), 200)) != list(islice(addresses(8), 200))


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_so_many_addresses_come_again_as_are_asked_for(share: float) -> None:
    texts = list(islice(addresses(3, lambda: share), 2000))

    assert 1 - len(set(texts)) / len(texts) == pytest.approx(share, abs=0.05)


def test_no_address_has_what_might_be_a_telephone_number() -> None:
    texts = list(islice(addresses(5), 3000))

    assert not [text for text in texts if re.search(r"\d{7}|\d{3,4}-\d{7}", text)]
