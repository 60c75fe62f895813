"""Lookups over HTTP, and one way in: FastAPI, OpenAPI at `/docs`, RFC 9457 problems."""

from streams.web.app import web
from streams.web.dependencies import WebDependencies
from streams.web.recording import adopt

__all__ = ["WebDependencies", "adopt", "web"]
