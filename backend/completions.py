"""A writer at an OpenAI-compatible address: POST …/chat/completions, several at a time, in words when it fails."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from studio.errors import Broken, NotFound, Offline, Refused, StudioError

KEY = "FLEXTUNE_API_KEY"
AT_ONCE = 4
SECONDS = 120.0
TRIES = 4
LARGEST = 4 << 20
Turns = list[dict[str, Any]]


class Address:
    """A model behind an address. The key, if any, comes from the environment and goes nowhere else.

    Args:
        url: the address up to `/v1` or what stands for it; model: the model's name there.
    """

    def __init__(self, url: str, model: str) -> None:
        self.url, self.model = urlsplit(url), model
        self.key = os.environ.get(KEY, "")

    @property
    def here(self) -> bool:
        """Whether it is this machine."""
        host = self.url.hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def write(
        self,
        prompts: Sequence[Turns],
        temperature: float,
        seeds: Sequence[int],
        tokens: int,
        should_stop: Callable[[], bool],
    ) -> list[str]:
        """One answer for each conversation, "" for those cut off or not asked any more after a stop.

        Args:
            seeds: one for each conversation.
            tokens: how many an answer may have.

        Raises:
            Offline, Refused, NotFound, Broken: in words.
        """

        def one(messages: Turns, seed: int) -> str:
            if should_stop():
                return ""
            body = {
                "model": self.model, "messages": messages, "temperature": temperature, "max_tokens": tokens,
                "seed": seed,
            }  # fmt: skip
            return self._asked(body, should_stop)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, prompts, seeds))

    def _asked(self, body: dict[str, Any], should_stop: Callable[[], bool]) -> str:
        for attempt in range(TRIES):
            try:
                status, answer, patience = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                raise Offline(
                    f"{self.url.netloc} does not answer.",
                    f"{type(error).__name__}: {error}",
                    "Check the address and the network; the rows written so far are kept.",
                ) from error
            if status == 200:
                return self._said(answer)
            if status not in (429, 500, 502, 503, 504) or attempt == TRIES - 1:
                raise self._failed(status, answer)
            until = time.monotonic() + max(patience, 2.0**attempt)
            while time.monotonic() < until and not should_stop():
                time.sleep(0.1)
        raise AssertionError("unreachable")

    def _post(self, body: dict[str, Any]) -> tuple[int, bytes, float]:
        secure = self.url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self.url.hostname or "", self.url.port, timeout=SECONDS)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        try:
            connection.request("POST", f"{self.url.path}/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            after = answer.headers.get("Retry-After") or "0"
            return answer.status, answer.read(LARGEST), min(float(after) if after.isdigit() else 0.0, 60.0)
        finally:
            connection.close()

    def _said(self, answer: bytes) -> str:
        """What was answered; "" when it was cut off."""
        try:
            choice = json.loads(answer)["choices"][0]
            said = str(choice["message"]["content"] or "")
            return "" if choice.get("finish_reason") == "length" else said
        except (ValueError, LookupError, TypeError):
            raise Broken(
                f"{self.url.netloc} does not answer as OpenAI's interface does.",
                f"It said: {answer[:160].decode('utf-8', 'replace')}",
                "Check the address: it usually ends in /v1.",
            ) from None

    def _failed(self, status: int, answer: bytes) -> StudioError:
        said = answer[:200].decode("utf-8", "replace").replace(self.key or "\0", "…")
        if status in (401, 403):
            return Refused(
                f"{self.url.netloc} does not let you in.",
                f"It answered {status}.",
                f"Start the studio with a valid key in the environment as {KEY}.",
            )
        if status == 404:
            return NotFound(
                f"{self.url.netloc} has no such address or model.",
                f"“{self.model}” at {self.url.geturl()}: {said}",
                "Check the model's name; the address usually ends in /v1.",
            )
        return Offline(
            f"{self.url.netloc} has a problem.",
            f"It answered {status}: {said}",
            "Try again later, or after fewer rows.",
        )
