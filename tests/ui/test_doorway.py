from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.doorway import Doorway
from ui.edition import Edition

PAGE = """<!doctype html><html><head>
<meta property="og:image"
  content="https://outside.example/x.png" />
<script>window.config = {"text": "\\u003cscript>"}</script><script type="module" src="a.js"></script>
</head><body><gradio-app></gradio-app><script >1</script></body></html>"""


@pytest.fixture
def client() -> TestClient:
    async def in_pieces():  # type: ignore[no-untyped-def]
        for place in range(0, len(PAGE), 7):
            yield PAGE[place : place + 7]

    app = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse(PAGE)),
            Route("/pieces", lambda _: StreamingResponse(in_pieces(), media_type="text/html")),
            Route("/json", lambda _: JSONResponse({"html": "<head><script>"})),
        ]
    )
    app.add_middleware(Doorway, edition=Edition())
    return TestClient(app)


@pytest.mark.parametrize("path", ["/", "/pieces"])
def test_every_script_of_the_page_carries_the_number_of_its_policy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None and len(nonce[1]) > 20
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert len(scripts) >= 5 and all(f'nonce="{nonce[1]}"' in script for script in scripts)
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert nonce[1] not in client.get(path).text, "a number used once"


def test_nothing_from_outside_may_be_loaded(client: TestClient) -> None:
    answer = client.get("/")
    sources = {word for part in answer.headers["content-security-policy"].split(";") for word in part.split()[1:]}
    assert not [word for word in sources if "//" in word or "." in word or word == "*"]
    assert "'unsafe-inline'" not in next(
        part for part in answer.headers["content-security-policy"].split(";") if "script-src" in part
    )
    assert "outside.example" not in answer.text


def test_the_theme_comes_before_everything_of_gradios(client: TestClient) -> None:
    text = client.get("/").text
    assert text.index("flextune-theme") < text.index("window.config") < text.index("classList.toggle('dark'")


def test_what_is_no_page_passes_as_it_is(client: TestClient) -> None:
    assert client.get("/json").json() == {"html": "<head><script>"}
    assert client.head("/").text == ""
