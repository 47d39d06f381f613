"""Products, and their images in the bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shop.assets import LARGEST_BYTES
from shop.seed import png

IMAGE = png((10, 20, 30))
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
WEBP = b"RIFF\x20\0\0\0WEBPVP8 " + bytes(20)


def test_a_product_is_created_found_and_listed(http: TestClient, product: Callable[..., Any]) -> None:
    made = product(stock=3, price_cents=999)
    expected = {"id": made.id, "name": made.name, "price_cents": 999, "stock": 3}
    assert http.get(f"/products/{made.id}").json() == expected
    assert http.get("/products", params={"after": made.id - 1, "limit": 1}).json() == [expected]


def test_the_list_goes_on_after_the_last_one_seen(http: TestClient, product: Callable[..., Any]) -> None:
    first, second, third = (product().id for _ in range(3))
    page = [found["id"] for found in http.get("/products", params={"after": first, "limit": 2}).json()]
    assert page == sorted(page)
    assert page[0] > first
    assert {second, third} <= {found["id"] for found in http.get("/products", params={"after": first}).json()}


def test_a_second_product_of_a_name_is_refused(http: TestClient, product: Callable[..., Any]) -> None:
    made = product()
    again = http.post("/products", json={"name": made.name, "price_cents": 1, "stock": 1})
    assert (again.status_code, again.json()["detail"]) == (409, f"there is a product {made.name!r} already")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "a\0b"},
        {"price_cents": -1},
        {"stock": -1},
        {"stock": 10**12},
    ],
)
def test_a_product_that_cannot_be_is_refused(http: TestClient, wrong: dict[str, Any]) -> None:
    asked = {"name": "never made", "price_cents": 1, "stock": 1, **wrong}
    answer = http.post("/products", json=asked)
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", *wrong]]


@pytest.mark.parametrize("path", ["/products/{0}", "/products/{0}/image"])
def test_a_product_that_is_not_there_is_not_found(http: TestClient, path: str) -> None:
    assert http.get(path.format(2**62)).status_code == 404


def test_a_number_that_no_product_can_have_is_refused(http: TestClient) -> None:
    assert http.get(f"/products/{2**63}").status_code == 422


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(IMAGE, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")],
    ids=["png", "jpeg", "webp"],
)
def test_an_image_comes_back_as_it_was_sent(
    http: TestClient, product: Callable[..., Any], content: bytes, content_type: str
) -> None:
    path = f"/products/{product().id}/image"
    assert http.put(path, content=content, headers={"Content-Type": content_type}).status_code == 204
    found = http.get(path)
    assert (found.status_code, found.headers["content-type"], found.content) == (200, content_type, content)
    assert found.headers["x-content-type-options"] == "nosniff"


def test_a_second_image_takes_the_place_of_the_first(http: TestClient, product: Callable[..., Any]) -> None:
    path = f"/products/{product().id}/image"
    http.put(path, content=IMAGE, headers={"Content-Type": "image/png"})
    http.put(path, content=JPEG, headers={"Content-Type": "image/jpeg"})
    assert (http.get(path).content, http.get(path).headers["content-type"]) == (JPEG, "image/jpeg")


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"<script>alert(1)</script>", "text/html", 415),
        (b"<script>alert(1)</script>", "image/png", 415),
        (JPEG, "image/png", 415),
        (b"", "image/png", 415),
        (b"<svg/>", "image/svg+xml", 415),
        (IMAGE + bytes(LARGEST_BYTES), "image/png", 413),
    ],
    ids=["a page", "a page that says it is an image", "another type", "nothing", "a type that is not taken", "too large"],
)
def test_what_is_no_image_or_too_large_is_not_kept(
    http: TestClient, product: Callable[..., Any], content: bytes, content_type: str, status: int
) -> None:
    path = f"/products/{product().id}/image"
    assert http.put(path, content=content, headers={"Content-Type": content_type}).status_code == status
    assert http.get(path).status_code == 404


def test_an_image_of_exactly_the_largest_size_is_kept(http: TestClient, product: Callable[..., Any]) -> None:
    path = f"/products/{product().id}/image"
    content = IMAGE + bytes(LARGEST_BYTES - len(IMAGE))
    assert http.put(path, content=content, headers={"Content-Type": "image/png"}).status_code == 204
    assert http.get(path).content == content


def test_an_image_for_a_product_that_is_not_there_is_refused(http: TestClient) -> None:
    answer = http.put(f"/products/{2**62}/image", content=IMAGE, headers={"Content-Type": "image/png"})
    assert answer.status_code == 404
