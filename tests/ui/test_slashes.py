"""A name with a slash reaches the route of the name, and no other."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ui.slashes import Slashes


@pytest.mark.parametrize(
    ("sent", "heard"),
    [("..%2F..%2fetc", "..∕..∕etc"), ("a%2Frows", "a∕rows"), ("plain%20name", "plain name")],
)
def test_what_was_one_part_stays_one(sent, heard):
    app = FastAPI()
    app.add_middleware(Slashes)
    app.add_api_route("/datasets/{name}", lambda name: {"name": name})
    app.add_api_route("/datasets/{name}/rows", lambda name: {"rows of": name})
    client = TestClient(app)
    assert client.get(f"/datasets/{sent}?from=1%2F2").json() == {"name": heard}
    assert client.get("/datasets/a/rows").json() == {"rows of": "a"}
