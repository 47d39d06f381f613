"""What runs: the web service, and the pipeline that works off orders."""

from .orders import OrderPipeline
from .web import WebService

__all__ = ["OrderPipeline", "WebService"]
