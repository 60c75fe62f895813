"""Lookups over HTTP, and one way in: FastAPI, OpenAPI at `/docs`, RFC 9457 problems."""
