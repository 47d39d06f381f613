"""Images in the asset bucket: which are taken, how they are kept, how they are read.

A product has one image, at a key of its own; a new one takes its place. The type is what the bytes are, and not only what the
sender says, so that nobody's browser is handed a page or a script in the name of the shop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from shop import aws
from shop.errors import NotFound, TooLarge, WrongType

LARGEST_BYTES = 5 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
_TYPES = ("image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True)
class Image:
    """An image as it comes out of the bucket, ``size`` in bytes; ``chunks`` can be read once."""

    content_type: str
    size: int
    chunks: Iterator[bytes]


class Assets:
    """The images in a bucket. Every method raises BotoCoreError or ClientError where the bucket does not answer."""

    def __init__(self, bucket: str, region: str) -> None:
        self._bucket = bucket
        self._client: Any = aws.client("s3", region)

    def keep(self, product_id: int, content: bytes, declared_type: str) -> None:
        """Raises WrongType where the content is no image of the type that it is said to be."""
        if declared_type not in _TYPES:
            raise WrongType(f"an image is {', '.join(_TYPES)}, not {declared_type or 'of no type'}")
        if _type(content) != declared_type:
            raise WrongType(f"the content is not {declared_type}")
        self._client.put_object(Bucket=self._bucket, Key=key(product_id), Body=content, ContentType=declared_type)

    def open(self, product_id: int) -> Image:
        """Raises NotFound."""
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key(product_id))
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise NotFound(f"product {product_id} has no image") from None
            raise
        return Image(found["ContentType"], found["ContentLength"], found["Body"].iter_chunks(CHUNK_BYTES))

    def check(self) -> None:
        self._client.head_bucket(Bucket=self._bucket)


def key(product_id: int) -> str:
    """Where a product's image is."""
    return f"products/{product_id}/image"


async def read_image(chunks: AsyncIterator[bytes]) -> bytes:
    """All of an image that arrives. Raises TooLarge as soon as it is."""
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > LARGEST_BYTES:
            raise TooLarge(f"an image has {LARGEST_BYTES // 1024 // 1024} MiB at most")
    return bytes(content)


def _type(content: bytes) -> str | None:
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None
