"""``python -m shop.seed``: a few products with images and stock. Run twice, it adds nothing twice."""

from __future__ import annotations

import os
import struct
import sys
import zlib

from botocore.exceptions import BotoCoreError, ClientError
from psycopg import OperationalError

from shop import products
from shop.assets import Assets
from shop.database import Database, database
from shop.errors import Conflict
from shop.products import NewProduct
from shop.settings import Settings, SettingsError

# Name, price in cents, stock, and the colour of the image.
GOODS = (
    ("Teapot", 3450, 12, (196, 87, 60)),
    ("Kettle", 5900, 8, (70, 110, 140)),
    ("Cup", 990, 60, (235, 200, 90)),
    ("Strainer", 650, 25, (120, 150, 95)),
    ("Tray", 2780, 5, (110, 80, 120)),
)


def main() -> None:
    """Fill the shop that the environment names."""
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.exit(f"shop seed: {error}")
    assets = Assets(settings.asset_bucket, settings.aws_region)
    try:
        with database(settings.database_url) as pool:
            added = sum(_add(pool, assets, *goods) for goods in GOODS)
    except (OperationalError, BotoCoreError, ClientError) as error:
        sys.exit(f"shop seed: {error}")
    sys.stdout.write(f"{added} products added, {len(GOODS) - added} were there\n")


def _add(pool: Database, assets: Assets, name: str, price_cents: int, stock: int, colour: tuple[int, int, int]) -> bool:
    """Whether it was not there yet. A product whose image cannot be kept is not added."""
    try:
        with pool.connection() as connection:
            product = products.create(connection, NewProduct(name=name, price_cents=price_cents, stock=stock))
            assets.keep(product.id, png(colour), "image/png")
    except Conflict:
        return False
    return True


def png(colour: tuple[int, int, int], side: int = 64) -> bytes:
    """A square of one colour, as a PNG of ``side`` by ``side`` pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)  # 8 bits for each of three colours
    rows = (b"\0" + bytes(colour) * side) * side  # each row begins with its filter: none
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


if __name__ == "__main__":
    main()
