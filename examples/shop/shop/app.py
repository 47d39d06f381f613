"""The shop over HTTP: which requests there are, and what becomes of an error. What they do is the other modules' business."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from psycopg import OperationalError
from psycopg.errors import UndefinedColumn, UndefinedTable
from starlette.concurrency import run_in_threadpool

from shop import carts, logs, orders, products
from shop.assets import Assets, read_image
from shop.carts import Cart, Quantity
from shop.database import Database, NotMigrated, check, database
from shop.errors import Refused
from shop.orders import Order
from shop.products import Id, NewProduct, Product
from shop.queue import Queue
from shop.settings import Settings

SILENT = (OperationalError, BotoCoreError, ClientError)
"""What is raised where the database, the bucket or the queue does not answer."""

log = logging.getLogger("shop")
routes = APIRouter()


@dataclass(frozen=True)
class Shop:
    """What the shop stands on."""

    release: str
    database: Database
    assets: Assets
    queue: Queue


def create_app(settings: Settings) -> FastAPI:
    """The application. It connects when it starts, and starts whether or not anybody answers: ``/healthz`` tells."""
    shop = Shop(
        settings.release,
        database(settings.database_url),
        Assets(settings.asset_bucket, settings.aws_region),
        Queue(settings.job_queue_url, settings.aws_region),
    )

    @asynccontextmanager
    async def connected(_: FastAPI) -> AsyncIterator[None]:
        shop.database.open()
        yield
        shop.database.close()

    # The pages that FastAPI has for its documentation load scripts from elsewhere; /openapi.json is enough.
    app = FastAPI(title="shop", version=settings.release, lifespan=connected, docs_url=None, redoc_url=None)
    app.state.shop = shop
    app.include_router(routes)
    app.middleware("http")(_logged)
    app.add_exception_handler(Refused, _refused)
    for error in (*SILENT, UndefinedColumn, UndefinedTable):  # the last two where the migrations have not run
        app.add_exception_handler(error, _unavailable)
    return app


def _shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop


# Requests open their transactions themselves: a dependency would end them only after the answer is sent.
TheShop = Annotated[Shop, Depends(_shop)]


# -- products ----------------------------------------------------------------------------------------------------------------


@routes.get("/products")
def list_products(
    shop: TheShop,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[Product]:
    with shop.database.connection() as connection:
        return products.page(connection, after, limit)


@routes.post("/products", status_code=201)
def create_product(shop: TheShop, new: NewProduct) -> Product:
    with shop.database.connection() as connection:
        return products.create(connection, new)


@routes.get("/products/{product_id}")
def get_product(shop: TheShop, product_id: Id) -> Product:
    with shop.database.connection() as connection:
        return products.find(connection, product_id)


@routes.put("/products/{product_id}/image", status_code=204)
async def put_image(shop: TheShop, product_id: Id, request: Request) -> None:
    content = await read_image(request.stream())
    declared_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    await run_in_threadpool(_keep_image, shop, product_id, content, declared_type)


def _keep_image(shop: Shop, product_id: int, content: bytes, declared_type: str) -> None:
    with shop.database.connection() as connection:
        products.find(connection, product_id)
    shop.assets.keep(product_id, content, declared_type)


@routes.get("/products/{product_id}/image")
def get_image(shop: TheShop, product_id: Id) -> StreamingResponse:
    image = shop.assets.open(product_id)
    headers = {"Content-Length": str(image.size), "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(image.chunks, media_type=image.content_type, headers=headers)


# -- carts and orders --------------------------------------------------------------------------------------------------------


@routes.post("/carts", status_code=201)
def create_cart(shop: TheShop) -> Cart:
    with shop.database.connection() as connection:
        return carts.create(connection)


@routes.get("/carts/{cart_id}")
def get_cart(shop: TheShop, cart_id: UUID) -> Cart:
    with shop.database.connection() as connection:
        return carts.find(connection, cart_id)


@routes.put("/carts/{cart_id}/lines/{product_id}")
def put_line(shop: TheShop, cart_id: UUID, product_id: Id, line: Quantity) -> Cart:
    with shop.database.connection() as connection:
        return carts.put(connection, cart_id, product_id, line.quantity)


@routes.post("/carts/{cart_id}/orders", status_code=201)
def place_order(
    shop: TheShop,
    cart_id: UUID,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
    response: Response,
) -> Order:
    with shop.database.connection() as connection:
        order, is_new = orders.place(connection, cart_id, idempotency_key)
    if is_new:
        _announce(shop, order.id)
    else:
        response.status_code = 200
    return order


def _announce(shop: Shop, order_id: UUID) -> None:
    """The order stands, whatever becomes of its message: the worker announces it where this fails."""
    try:
        orders.announce(shop.database, shop.queue, order_id)
    except SILENT as error:
        log.warning("order not announced yet", extra={"order": order_id, "reason": error})


@routes.get("/orders/{order_id}")
def get_order(shop: TheShop, order_id: UUID) -> Order:
    with shop.database.connection() as connection:
        return orders.find(connection, order_id)


# -- health, errors, logs ----------------------------------------------------------------------------------------------------


@routes.get("/healthz")
def healthz(shop: TheShop) -> JSONResponse:
    """200 where all that the shop stands on is there, else 503; the reasons are in the log and not for everybody."""
    checks = {"database": lambda: check(shop.database), "bucket": shop.assets.check, "queue": shop.queue.check}
    with ThreadPoolExecutor(len(checks)) as threads:
        parts = dict(zip(checks, threads.map(_health, checks, checks.values()), strict=True))
    well = all(health == "ok" for health in parts.values())
    return JSONResponse({"status": "ok" if well else "unavailable", "release": shop.release, **parts}, 200 if well else 503)


def _health(part: str, ask: Callable[[], None]) -> str:
    try:
        ask()
    except NotMigrated:
        return "not migrated"
    except SILENT as error:
        log.warning("unreachable", extra={"part": part, "reason": error})
        return "unreachable"
    return "ok"


def _refused(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, error.status if isinstance(error, Refused) else 400)


def _unavailable(request: Request, error: Exception) -> JSONResponse:
    log.error("unavailable", extra={"route": _route(request), "reason": error})
    return JSONResponse({"detail": "something that the shop stands on does not answer; try again soon"}, 503)


async def _logged(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """A line for each request, under the id that the caller gave it or gets back."""
    given = request.headers.get("x-request-id", "")
    request_id = given if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given) else uuid.uuid4().hex
    began = time.perf_counter()
    status = 500
    with logs.of_request(request_id):
        try:
            response = await answer(request)
            status = response.status_code
        finally:
            level = logging.DEBUG if request.url.path == "/healthz" else logging.INFO
            milliseconds = round(1000 * (time.perf_counter() - began), 1)
            facts = {"method": request.method, "route": _route(request), "status": status, "milliseconds": milliseconds}
            log.log(level, "request", extra=facts)
    response.headers["X-Request-ID"] = request_id
    return response


def _route(request: Request) -> str:
    """The path as it is declared: who can read the logs shall not get to know the ids of carts, which are all that opens them."""
    route = request.scope.get("route")
    return route.path if route else "none"
