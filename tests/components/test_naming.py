"""Names that fit AWS's limits."""

from __future__ import annotations

from components.naming import fitted

BALANCER = "aws:lb/loadBalancer:LoadBalancer"


def test_a_name_that_fits_stays_as_it_is() -> None:
    assert fitted("shop-dev-balancer", BALANCER) == "shop-dev-balancer"


def test_a_long_name_is_cut_so_that_the_automatic_suffix_fits() -> None:
    assert len(fitted("a-very-long-name-of-a-load-balancer", BALANCER)) + len("-1a2b3c4") <= 32


def test_two_long_names_stay_two() -> None:
    first, second = (fitted("a-very-long-name-of-a-load-balancer-" + end, BALANCER) for end in ("one", "two"))
    assert first != second
