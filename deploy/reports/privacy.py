"""How do the privacy report, and what is known of a customer, look to people? Pages."""

from typing import Any

from deploy.reports.comparison import templates
from deploy.reports.story import lines


def report_page(found: dict[str, Any]) -> bytes:
    """The report as a page."""
    return templates.get_template("privacy.html").render(found=found).encode()


def export_page(found: dict[str, Any]) -> bytes:
    """What is known of a customer, as a page."""
    return templates.get_template("export.html").render(found=found, lines=lines).encode()
