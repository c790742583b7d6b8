from __future__ import annotations

import io
import json
import socket
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import support
from studio.errors import NotFound
from studio.jobs import folder as job_folder
from studio.workspace import Workspace
from ui.password import Password

TOKENS = (
    "hf_abcdefghijklmnopqrstuvwxyz012345",
    "sk-proj-abcdefghijklmnop0123",
    "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
    "github_pat_11ABCDEFG0abcdefghijkl_mnop",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_123",
)


def bundle(workspace: Workspace, chosen: list[str] | None = None) -> dict[str, str]:
    """The texts of a bundle by their names."""
    data = b"".join(support.zipped(support.entries(workspace, chosen), support.Mask(workspace)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def job(workspace: Workspace, kind: str = "rehearsal", output: str = "") -> Path:
    folder = job_folder.create(workspace, kind, {"steps": 3})
    (folder / job_folder.OUTPUT).write_text(output, encoding="utf-8")
    return folder


def test_what_it_says_is_in_it_is_in_it(workspace: Workspace) -> None:
    run = job(workspace, output="Loading\n")
    names = [entry.name for entry in support.entries(workspace)]
    found = bundle(workspace)
    assert list(found) == names
    assert set(found) >= {"about.txt", "check.json", "versions.json", f"runs/{run.name}/events.jsonl"}
    assert found[f"runs/{run.name}/output.log"] == "Loading\n"
    assert json.loads(found[f"runs/{run.name}/settings.json"])["steps"] == 3
    assert json.loads(found["versions.json"])["packages"]["gradio"]
    assert json.loads(found["check.json"])["machine"]["cores"]


def test_the_last_jobs_come_unless_others_are_chosen(workspace: Workspace) -> None:
    runs = [job(workspace).name for _ in range(support.LAST_JOBS + 2)]
    assert len(support.last_jobs(workspace)) == support.LAST_JOBS
    chosen = bundle(workspace, [f"runs/{runs[0]}"])
    assert {name.split("/")[1] for name in chosen if name.startswith("runs/")} == {runs[0]}
    assert not [name for name in bundle(workspace, []) if "/" in name]
    for wrong in ("runs/none", "../../etc", "runs/../models"):
        with pytest.raises(Exception) as told:
            support.entries(workspace, [wrong])
        assert isinstance(told.value, NotFound) or "can't be used" in str(told.value)


def test_no_secret_is_in_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET_THING", "swordfish-of-the-environment")
    Password(workspace.root).set("correct horse")
    text = "\n".join(
        [*TOKENS, "https://bob:hunter22@pypi.example/simple", "Authorization: Bearer abcdefgh1234",
         'password="pa55word"',
         "the environment says swordfish-of-the-environment", f"{Path.home()}/secret-project/file.csv",
         f"{workspace.root}/runs", f"on {socket.gethostname()}"]
    )  # fmt: skip
    job(workspace, output=text)
    found = "\n".join(bundle(workspace).values())
    for secret in (*TOKENS, "hunter22", "bob:", "abcdefgh1234", "pa55word", "swordfish", "correct horse", "scrypt",
                   str(Path.home()), str(workspace.root)):  # fmt: skip
        assert secret not in found, secret
    assert "‹home›/secret-project/file.csv" in found and "https://‹user›:‹password›@pypi.example" in found
    assert json.loads((workspace.root / "password.json").read_text())["hash"] not in found


def test_what_is_no_secret_stays(workspace: Workspace) -> None:
    mask = support.Mask(workspace)
    text = '{"tokens_per_second": 81.5, "tokens_per_pass": 4096, "type": "step"}\nLoading tokenizer.json, token 5 of 9'
    assert mask(text) == text


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.sampled_from(TOKENS))
def test_a_token_is_found_wherever_it_stands(around: str, token: str) -> None:
    mask = support.Mask(Workspace(Path("/nowhere-at-all")))
    assert token not in mask(f"{around} {token} {around}") and token not in mask(f'"{token}"')


def test_a_long_output_comes_by_its_end(workspace: Workspace) -> None:
    run = job(workspace, output="".join(f"line {n}\n" for n in range(100_000)))
    text = bundle(workspace)[f"runs/{run.name}/output.log"]
    assert text.endswith("line 99999\n") and text.startswith("line ") and len(text) <= support.TAIL_BYTES


def test_what_cant_be_read_says_so(workspace: Workspace) -> None:
    run = job(workspace)
    listed = support.entries(workspace)
    (run / "events.jsonl").unlink()
    data = b"".join(support.zipped(listed, support.Mask(workspace)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert "could not be read" in archive.read(f"runs/{run.name}/events.jsonl").decode()
