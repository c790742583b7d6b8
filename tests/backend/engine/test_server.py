from __future__ import annotations

import http.client
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.engine.conversation import Prompt
from backend.engine.engine import Engine
from backend.engine.server import Server, _give_way, _told, device_user, main
from backend.engine.weights import load_model
from backend.job import Job
from studio import events, logs
from studio.engine_client import EngineClient
from studio.errors import JobFailed, StudioError
from studio.files import write_json
from studio.jobs import folder as job_folder
from studio.jobs import local, queue
from studio.logs import Log
from studio.settings.answering import Generation
from studio.workspace import Workspace
from tests import adapters
from tests.backend.conftest import dataset

ASK = [{"role": "user", "content": "Where is my parcel?"}]
# Holds a job's lock until its standard input ends.
HOLD = "import filelock, sys; x = filelock.FileLock(sys.argv[1]); x.acquire(); print(flush=True); sys.stdin.read()"
LONG = {"max_new_tokens": 400, "temperature": 1.0}


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> tuple[Workspace, Path]:
    root = tmp_path_factory.mktemp("served")
    workspace = Workspace.open(root / "workspace")
    model = adapters.install(tiny, workspace)
    dataset(workspace, root)
    run = adapters.run(workspace, "desk", "tiny")
    adapters.adapter(model, run / "adapter")
    return workspace, run


@pytest.fixture(scope="module")
def serving(place: tuple[Workspace, Path]) -> Iterator[Path]:
    folder = start(*place)
    yield folder
    local.stop(folder)
    wait_for(lambda: job_folder.status(folder) == "stopped")
    wait_for(lambda: local.reap() or not local._children)


def start(workspace: Workspace, run: Path, **settings: Any) -> Path:
    folder = job_folder.create(workspace, "engine", {"run": run.name, "threads": 1, **settings})
    local.start(folder)
    return folder


def request(client: EngineClient, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """(status, body) of a bare request with the right host, and the token unless another one is given."""
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    given = {"Authorization": f"Bearer {client.token}"} | {name.replace("_", "-"): v for name, v in headers.items()}
    connection.request(method, path, json.dumps(body) if body is not None else None, given)
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


def test_a_pair_streams_and_ends_with_what_the_engine_itself_says(place: tuple[Workspace, Path], serving: Path) -> None:
    workspace, run = place
    client = EngineClient.wait(serving)
    said = {"base": "", "tuned": ""}
    answers = client.pair(
        ASK, {"max_new_tokens": 12}, on_text=lambda side, text: said.update({side: said[side] + text})
    )
    engine = Engine(workspace.models / "tiny", {"tuned": run / "adapter"}, device="cpu", threads=1)
    (pair,) = engine.pairs([Prompt(ASK)], Generation(max_new_tokens=12))
    assert answers["base"]["tokens"] == pair.base.tokens
    assert answers["tuned"]["tokens"] == pair.tuned.tokens
    assert answers["tuned"]["weights"] == pair.tuned.weights
    assert said == {side: answers[side]["text"] for side in said}


def test_one_side_alone_answers_as_in_the_pair(serving: Path) -> None:
    client = EngineClient.wait(serving)
    pair = client.pair(ASK, {"max_new_tokens": 8})
    for side in ("base", "tuned"):
        assert client.answer(ASK, side, {"max_new_tokens": 8})["tokens"] == pair[side]["tokens"]


def test_each_side_goes_on_from_its_own_answers(serving: Path) -> None:
    client = EngineClient.wait(serving)
    talks = {
        side: [*ASK, {"role": "assistant", "content": said}, {"role": "user", "content": "And now?"}]
        for side, said in (("base", "It is here."), ("tuned", "QUEUE: delivery"))
    }
    body = {"messages": talks["base"], "tuned_messages": talks["tuned"], "options": {"max_new_tokens": 8}}
    stream = client.open("/pair", body)
    lines = []
    while line := stream.line():
        lines.append(json.loads(line))
    stream.close()
    for side, talk in talks.items():
        alone = client.answer(talk, side, {"max_new_tokens": 8})
        assert lines[-1]["answers"][side]["tokens"] == alone["tokens"]
        assert "".join(line["text"] for line in lines[:-1] if line["side"] == side) == alone["text"]
        (ended,) = (line for line in lines[:-1] if line["side"] == side and line.get("ended"))
        assert ended["weights"] == lines[-1]["answers"][side]["weights"]
    status, refused = request(client, "POST", "/pair", {"messages": ASK, "tuned_messages": "?"})
    assert status == 400 and "“tuned_messages” must be" in json.loads(refused)["error"]["why"]


def test_closing_a_stream_stops_its_answer_and_frees_its_reader(serving: Path) -> None:
    client = EngineClient.wait(serving)
    stream = client.open("/pair", {"messages": ASK, "options": {"max_new_tokens": 490, "temperature": 2.0}})
    assert stream.line()
    ended = threading.Event()

    def read() -> None:
        with suppress(JobFailed):
            while stream.line():
                pass
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    stream.close()
    assert ended.wait(10)
    wait_for(lambda: not client.health()["busy"])


def test_health_and_unloading(place: tuple[Workspace, Path], serving: Path) -> None:
    client = EngineClient.wait(serving)
    before = client.pair(ASK, {"max_new_tokens": 8})
    health = client.health()
    assert health["loaded"] and 0 < health["held"] < 64 << 20  # what it took to load and to answer
    client.unload()
    health = client.health()
    assert not health["loaded"] and health["held"] == 0
    assert health["sharing"]["tuned"]["how"] == "together"
    assert set(health["weights"]) == {"base", "tuned"}
    assert client.pair(ASK, {"max_new_tokens": 8})["tuned"]["tokens"] == before["tuned"]["tokens"]


def test_strangers_are_refused(serving: Path) -> None:
    client = EngineClient.wait(serving)
    assert request(client, "GET", "/health")[0] == 200
    assert request(client, "GET", "/health", Authorization="Bearer wrong")[0] == 401
    assert request(client, "POST", "/pair", {"messages": ASK}, Authorization="")[0] == 401
    assert request(client, "GET", "/health", Host="evil.example")[0] == 403
    assert request(client, "GET", "/health", Host=f"evil.example:{client.port}")[0] == 403
    assert request(client, "POST", "/stop", Origin="http://evil.example")[0] == 403
    assert request(client, "GET", "/health", Origin=f"http://127.0.0.1:{client.port}")[0] == 200
    assert client.health()["loaded"] in (True, False)


def test_the_token_is_for_its_owner_alone_and_in_no_log(serving: Path) -> None:
    client = EngineClient.wait(serving)
    path = serving / "token"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for other in serving.iterdir():
        if other != path and other.is_file():
            assert client.token.encode() not in other.read_bytes()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": []}, "must be a list of turns"),
        ({"messages": [{"role": "user"}]}, "must be a list of turns"),
        ({"messages": ASK, "options": {"temprature": 1}}, "no such setting"),
        ({"messages": ASK, "options": {"temperature": -1}}, "temperature"),
        ([1], "no JSON object"),
    ],
)
def test_bad_questions_are_explained(serving: Path, body: Any, words: str) -> None:
    status, answer = request(EngineClient.wait(serving), "POST", "/pair", body)
    assert status == 400
    assert words in json.loads(answer)["error"]["why"]


def test_errors_of_the_engine_reach_the_client_in_words(serving: Path) -> None:
    client = EngineClient.wait(serving)
    with pytest.raises(StudioError, match="no weights “nobody”"):
        client.answer(ASK, "nobody")
    with pytest.raises(StudioError, match="too long for this model"):
        client.pair([{"role": "user", "content": "parcel " * 900}])
    assert request(client, "GET", "/else")[0] == 404


def test_a_client_that_hangs_up_stops_its_answer(serving: Path) -> None:
    client = EngineClient.wait(serving)
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    body = json.dumps({"messages": ASK, "options": {"max_new_tokens": 490, "temperature": 2.0}})
    connection.request("POST", "/pair", body, {"Authorization": f"Bearer {client.token}"})
    connection.getresponse().readline()
    connection.close()
    wait_for(lambda: not client.health()["busy"])


def test_it_ends_within_a_second_of_being_asked_even_while_answering(place: tuple[Workspace, Path]) -> None:
    folder = start(*place)
    client = EngineClient.wait(folder)
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    body = json.dumps({"messages": ASK, "options": LONG})
    connection.request("POST", "/pair", body, {"Authorization": f"Bearer {client.token}"})
    response = connection.getresponse()
    response.readline()
    began = time.monotonic()
    local.stop(folder)
    wait_for(lambda: events.read_state(folder).phase == "stopped")
    took = time.monotonic() - began
    connection.close()
    print(f"stopped in {took:.2f} s")
    assert took < 5  # a second on a machine with nothing else to do
    assert not (folder / "token").exists()
    with pytest.raises(JobFailed):
        client.health()
    with pytest.raises(JobFailed):
        EngineClient(folder)
    wait_for(lambda: not job_folder.alive(folder))


def test_it_ends_when_told(place: tuple[Workspace, Path]) -> None:
    folder = start(*place)
    EngineClient.wait(folder).stop()
    wait_for(lambda: job_folder.status(folder) == "finished")


def test_it_ends_when_nobody_asks(place: tuple[Workspace, Path]) -> None:
    folder = start(*place, idle_minutes=0.001)
    wait_for(lambda: job_folder.status(folder) == "finished")
    assert "nobody asked" in events.read_state(folder).result["reason"]


def test_a_run_without_weights_is_told_to_whoever_waits(place: tuple[Workspace, Path]) -> None:
    workspace, _ = place
    bare = adapters.run(workspace, "desk", "tiny")
    folder = start(workspace, bare)
    with pytest.raises(JobFailed, match="no trained weights"):
        EngineClient.wait(folder)


def test_it_gives_way_while_another_job_has_the_device(place: tuple[Workspace, Path], serving: Path) -> None:
    workspace, _ = place
    client = EngineClient.wait(serving)
    client.pair(ASK, {"max_new_tokens": 2})
    training = job_folder.create(workspace, "train", {"dataset": "desk", "model": "tiny"})
    assert device_user(workspace) is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(training / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdin is not None
    holder.stdout.readline()
    with Log(training / "events.jsonl") as log:
        log.append("starting", pid=holder.pid)
    write_json(workspace.jobs / queue.HOLDER, {"folder": training.relative_to(workspace.root).as_posix()})
    assert device_user(workspace) == training
    wait_for(lambda: not client.health()["loaded"])
    words = f"The machine is training “desk {training.name[-4:]}”"
    wait_for(lambda: words in str(logs.read(serving / "events.jsonl")[0][-1].get("text")))
    assert client.pair(ASK, {"max_new_tokens": 2})["tuned"]["tokens"]
    holder.communicate()
    wait_for(lambda: device_user(workspace) is None)


def test_nothing_is_loaded_at_the_start_while_another_job_has_the_device(
    place: tuple[Workspace, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, run = place
    training = job_folder.create(workspace, "train", {"dataset": "desk", "model": "tiny"})
    folder = job_folder.create(workspace, "engine", {"run": run.name, "threads": 1})
    loaded: list[bool] = []

    def ask(job: Job, server: Server, *_: Any) -> dict[str, Any]:
        loaded.append(server.engine.loaded)
        assert EngineClient(folder).pair(ASK, {"max_new_tokens": 2})["tuned"]["tokens"]
        loaded.append(server.engine.loaded)
        return {}

    monkeypatch.setattr("backend.engine.server.watch", ask)
    monkeypatch.setattr("backend.engine.server.device_user", lambda _: training)
    adapters.work(main, folder)
    assert loaded == [False, True]
    said = [line["text"] for line in logs.read(folder / "events.jsonl")[0] if line["type"] == "message"]
    assert said == [f"The machine is training “desk {training.name[-4:]}”; the models load when somebody asks."]


def test_an_engine_too_large_for_the_gpu_stays_on_the_cpu(
    place: tuple[Workspace, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, run = place
    folder = job_folder.create(workspace, "engine", {"run": run.name, "threads": 1})

    def load(path: Path, device: str, bits: Any) -> Any:
        if device == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")
        return load_model(path, device, bits)

    def look(job: Job, server: Server, *_: Any) -> dict[str, Any]:
        for _ in range(2):
            _give_way(job, server)
        client = EngineClient(folder)
        assert client.pair(ASK, {"max_new_tokens": 2})["tuned"]["tokens"]
        health = client.health()
        assert (health["device"], health["loaded"]) == ("cpu", True)
        return health

    monkeypatch.setattr("backend.engine.engine.best_device", lambda asked: "cuda")
    monkeypatch.setattr("backend.engine.weights.load_model", load)
    monkeypatch.setattr("backend.engine.server.watch", look)
    health = adapters.work(main, folder)
    said = [line["text"] for line in logs.read(folder / "events.jsonl")[0] if line["type"] == "message"]
    assert said == [health["settled"]] and "computed on the CPU" in said[0]


def test_memory_that_runs_out_in_a_chat_is_told_as_that() -> None:
    told = _told(RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"))
    assert told.what == "The memory ran out." and "resume" not in told.next
