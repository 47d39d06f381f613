"""Carts and orders, on the real database: what many do at once included."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from shop.app import create_app
from shop.settings import Settings


def order(http: TestClient, cart_id: str, key: str | None = None) -> Response:
    """Order a cart, under a key of its own or under the one that is given."""
    answer: Response = http.post(f"/carts/{cart_id}/orders", headers={"Idempotency-Key": key or uuid.uuid4().hex})
    return answer


def at_once(http: TestClient, asked: list[tuple[str, str]]) -> list[Response]:
    """Order all these carts under these keys, as near to the same moment as threads can."""
    ready = threading.Barrier(len(asked))

    def one(cart_id: str, key: str) -> Response:
        ready.wait(timeout=30)
        return order(http, cart_id, key)

    with ThreadPoolExecutor(len(asked)) as threads:
        return [running.result(timeout=60) for running in [threads.submit(one, *each) for each in asked]]


def stock(http: TestClient, product_id: int) -> int:
    left: int = http.get(f"/products/{product_id}").json()["stock"]
    return left


def test_a_cart_has_what_was_put_in_and_its_total(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    cup, tray = product(price_cents=300), product(price_cents=1000)
    cart_id = cart({cup: 2, tray: 1})
    found = http.get(f"/carts/{cart_id}").json()
    assert {line["product_id"]: line["quantity"] for line in found["lines"]} == {cup.id: 2, tray.id: 1}
    assert found["total_cents"] == 1600


def test_a_quantity_replaces_the_one_before_and_none_takes_the_product_out(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    cup = product()
    cart_id = cart({cup: 2})
    line = f"/carts/{cart_id}/lines/{cup.id}"
    assert http.put(line, json={"quantity": 5}).json()["lines"][0]["quantity"] == 5
    assert http.put(line, json={"quantity": 0}).json()["lines"] == []


def test_carts_products_and_orders_that_are_not_there_are_not_found(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    nobodys = uuid.uuid4()
    assert http.get(f"/carts/{nobodys}").status_code == 404
    assert http.put(f"/carts/{nobodys}/lines/{product().id}", json={"quantity": 1}).status_code == 404
    assert http.put(f"/carts/{cart({})}/lines/{2**62}", json={"quantity": 1}).status_code == 404
    assert order(http, str(nobodys)).status_code == 404
    assert http.get(f"/orders/{nobodys}").status_code == 404


def test_an_order_takes_the_stock_keeps_the_prices_and_empties_the_cart(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    cup, tray = product(stock=5, price_cents=300), product(stock=1, price_cents=1000)
    cart_id = cart({cup: 2, tray: 1})
    answer = order(http, cart_id)
    assert answer.status_code == 201
    placed = answer.json()
    assert (placed["status"], placed["total_cents"]) == ("placed", 1600)
    assert placed["lines"] == [
        {"product_id": cup.id, "quantity": 2, "price_cents": 300},
        {"product_id": tray.id, "quantity": 1, "price_cents": 1000},
    ]
    assert (stock(http, cup.id), stock(http, tray.id)) == (3, 0)
    assert http.get(f"/carts/{cart_id}").json()["lines"] == []
    found = http.get(f"/orders/{placed['id']}").json()
    assert (found["lines"], found["total_cents"]) == (placed["lines"], 1600)


def test_an_empty_cart_cannot_be_ordered(http: TestClient, cart: Callable[..., str]) -> None:
    answer = order(http, cart({}))
    assert (answer.status_code, answer.json()["detail"]) == (409, "the cart is empty")


def test_an_order_without_a_key_is_refused(http: TestClient, product: Callable[..., Any], cart: Callable[..., str]) -> None:
    cup = product(stock=1)
    assert http.post(f"/carts/{cart({cup: 1})}/orders").status_code == 422
    assert stock(http, cup.id) == 1


def test_too_little_of_one_product_leaves_stock_and_cart_as_they_are(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    plenty, scarce = product(stock=10), product(stock=1)
    cart_id = cart({plenty: 2, scarce: 2})
    before = http.get(f"/carts/{cart_id}").json()
    answer = order(http, cart_id)
    assert (answer.status_code, answer.json()["detail"]) == (409, f"not enough in stock: {scarce.name!r} (1 left)")
    assert (stock(http, plenty.id), stock(http, scarce.id)) == (10, 1)
    assert http.get(f"/carts/{cart_id}").json() == before


def test_the_same_key_gives_the_same_order_and_takes_the_stock_once(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    cup = product(stock=5)
    cart_id, key = cart({cup: 2}), uuid.uuid4().hex
    first, second = order(http, cart_id, key), order(http, cart_id, key)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    assert stock(http, cup.id) == 3


def test_a_key_is_that_of_its_cart_alone(http: TestClient, product: Callable[..., Any], cart: Callable[..., str]) -> None:
    cup, key = product(stock=5), uuid.uuid4().hex
    first, second = order(http, cart({cup: 1}), key), order(http, cart({cup: 1}), key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


def test_the_same_key_many_times_at_once_is_one_order(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    cup = product(stock=5)
    cart_id, key = cart({cup: 2}), uuid.uuid4().hex
    answers = at_once(http, [(cart_id, key)] * 6)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert stock(http, cup.id) == 3


def test_one_cart_under_many_keys_at_once_is_ordered_once(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    cup = product(stock=5)
    cart_id = cart({cup: 1})
    answers = at_once(http, [(cart_id, uuid.uuid4().hex) for _ in range(4)])
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert stock(http, cup.id) == 4


def test_stock_is_never_sold_twice_however_many_order_at_once(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    scarce = product(stock=3)
    answers = at_once(http, [(cart({scarce: 1}), uuid.uuid4().hex) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    assert stock(http, scarce.id) == 0


def test_orders_of_the_same_products_put_in_in_other_orders_do_not_block_each_other(
    http: TestClient, product: Callable[..., Any], cart: Callable[..., str]
) -> None:
    cup, tray = product(stock=20), product(stock=20)
    both: list[Mapping[Any, int]] = [{cup: 1, tray: 1}, {tray: 1, cup: 1}]
    answers = at_once(http, [(cart(both[number % 2]), uuid.uuid4().hex) for number in range(8)])
    assert [answer.status_code for answer in answers] == [201] * 8
    assert (stock(http, cup.id), stock(http, tray.id)) == (12, 12)


def test_the_database_itself_keeps_stock_from_going_below_zero(database: Any, product: Callable[..., Any]) -> None:
    from psycopg.errors import CheckViolation

    with pytest.raises(CheckViolation):
        database.execute("UPDATE products SET stock = stock - 2 WHERE id = %s", [product(stock=1).id])


def test_an_order_stands_where_the_queue_does_not_answer(
    settings: Settings, http: TestClient, product: Callable[..., Any], cart: Callable[..., str], database: Any
) -> None:
    from dataclasses import replace

    cup = product(stock=2)
    cart_id = cart({cup: 1})
    without_queue = replace(settings, job_queue_url=f"{settings.job_queue_url}-that-is-not-there")
    with TestClient(create_app(without_queue)) as other:
        answer = order(other, cart_id)
    assert answer.status_code == 201
    assert stock(http, cup.id) == 1
    row = database.execute("SELECT announced_at FROM orders WHERE id = %s", [answer.json()["id"]]).fetchone()
    assert row["announced_at"] is None
