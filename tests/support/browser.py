"""A browser without scripts, for an application of this process."""

import asyncio
import re
from typing import Any

import httpx2
from fastapi import FastAPI

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OWN = {"Sec-Fetch-Site": "same-origin"}


class Client:
    """A browser without scripts, which keeps cookies and follows no redirect."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.cookies = httpx2.Cookies()

    def __call__(
        self, method: str, path: str, headers: dict[str, str] | None = None, **sent: Any
    ) -> httpx2.Response:
        async def send() -> httpx2.Response:
            transport = httpx2.ASGITransport(self.app)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://localhost", cookies=self.cookies
            ) as client:
                answer = await client.request(
                    method, path, headers=BROWSER | (headers or {}), **sent
                )
                self.cookies = client.cookies
                return answer

        return asyncio.run(send())


def said(answer: httpx2.Response) -> str:
    """Return what a page says is wrong."""
    (found,) = re.findall(r'<p role="alert" class="problem">(.*?)</p>', answer.text)
    return found
