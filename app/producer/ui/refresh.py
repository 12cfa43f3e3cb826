"""The pace of the pages of an application."""

from fastapi import Request

from app.producer.ui.refresh_pace import RefreshPace


def refresh_seconds(request: Request) -> int:
    """Count a request for a page; return after how many seconds the page may ask again."""
    pace: RefreshPace = request.app.state.refresh_pace
    return pace.count()
