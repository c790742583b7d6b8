"""The main job by commands, each a real process: from a file to a verdict, an answer and an export."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio import logs

ROOT = Path(__file__).resolve().parents[3]
FAST = ["--samples", "0", "--eval-steps", "10"]


class Studio:
    """Gives commands to one workspace and reads their JSON."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def arguments(self, *words):
        return [sys.executable, str(ROOT / "launch.py"), *map(str, words), "--workspace", str(self.root), "--json"]

    def start(self, *words):
        return subprocess.Popen(
            self.arguments(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.root.parent
        )

    def raw(self, *words):
        return subprocess.run(
            self.arguments(*words), capture_output=True, text=True, cwd=self.root.parent, timeout=280, check=False
        )

    def __call__(self, *words):
        done = self.raw(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        assert len(lines) == 1, "standard output holds one JSON object and nothing else"
        return json.loads(lines[0])

    def refused(self, *words):
        """The error of a command that fails: it has what and next, and is all there is on standard output."""
        done = self.raw(*words)
        assert done.returncode != 0
        told = json.loads(done.stdout)
        assert told["error"]["what"] and "why" in told["error"] and "Traceback" not in done.stderr, done.stderr
        assert told["error"]["why"] or told["error"]["next"]
        return told["error"]

    def status(self, run):
        return next(item["status"] for item in self("runs")["runs"] if item["id"] == run)


def write_letters(path, rows=60):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer"])
        for number in range(rows):
            writer.writerow(
                [
                    f"What is the fate of letter {number}, sent on a {'grey' if number % 2 else 'bright'} day?",
                    f"It went to box {number % 3}.",
                ]
            )
    return path


@pytest.fixture(scope="module")
def studio(tmp_path_factory, tiny):
    """A workspace with a tiny model, a dataset and one finished run."""
    folder = tmp_path_factory.mktemp("main-job")
    studio = Studio(folder / "w")
    studio("runs")  # makes the workspace
    shutil.copytree(tiny, studio.root / "models" / "tiny")
    studio.imported = studio("import", write_letters(folder / "letters.csv"), "--name", "letters")
    studio.trained = studio(
        "train", "--dataset", "letters", "--model", "tiny", "--max-steps", 20, "--learning-rate", 0.01, *FAST, "--wait"
    )
    studio.run = studio.trained["id"]
    return studio


def test_import_tells_what_was_read(studio):
    told = studio.imported
    assert (told["name"], told["version"], told["rows"], told["bad_rows"]) == ("letters", 1, 60, 0)
    assert told["format"] == "question_answer"
    assert told["counts"] == {"train": 48, "validation": 6, "test": 6}
    assert studio("datasets")["datasets"][0]["name"] == "letters"


def test_train_tells_its_figures_and_logs_every_step(studio):
    told = studio.trained
    assert (told["status"], told["steps"]) == ("finished", 20)
    assert told["train_seconds"] > 0 and told["tokens_per_second"] > 0 and 0.1 < told["peak_memory_gb"] < 20
    lines = logs.read(studio.root / "runs" / studio.run / "metrics.jsonl")[0]
    steps = [line for line in lines if line["type"] == "step"]
    assert [line["step"] for line in steps] == list(range(1, 21))
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert told["train_loss"] == pytest.approx(sum(line["loss"] for line in steps) / 20, rel=1e-3)
    listed = studio("runs")["runs"][0]
    assert (listed["id"], listed["status"], listed["step"], listed["total_steps"]) == (studio.run, "finished", 20, 20)
    settings = json.loads((studio.root / "runs" / studio.run / "settings.json").read_text())
    assert settings["format"] == 1 and settings["cutoff"] and settings["batch_size"]


def test_evaluate_states_the_difference_with_its_uncertainty(studio):
    told = studio("evaluate", studio.run, "--max-new-tokens", 8)
    assert told["rows"] == 6 and set(told["metrics"]) == {"exact_match", "token_f1"}
    for figures in told["metrics"].values():
        assert figures["low"] <= figures["difference"] <= figures["high"]
        assert figures["difference"] == pytest.approx(figures["tuned"] - figures["base"])
        assert figures["verdict"] in ("better", "worse", "can't tell")
    assert (studio.root / "evaluations" / told["id"] / "predictions.parquet").exists()


def test_chat_answers_from_both_sides_with_their_stamps_and_leaves_no_process(studio):
    told = studio("chat", "--run", studio.run, "--prompt", "What is the fate?", "--max-new-tokens", 5, "--seed", 1)
    for side in ("base", "tuned"):
        assert isinstance(told[side]["text"], str) and 1 <= len(told[side]["tokens"]) <= 5
    assert told["tuned"]["weights"].startswith(told["base"]["weights"] + "+")
    again = studio("chat", "--run", studio.run, "--prompt", "What is the fate?", "--max-new-tokens", 5, "--seed", 1)
    assert again == told
    deadline = time.monotonic() + 20
    while any(str(studio.root) in " ".join(_arguments(pid)) and "backend.engine" in _arguments(pid) for pid in _pids()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _pids():
    import psutil

    return psutil.pids()


def _arguments(pid):
    import psutil

    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []


def test_predict_answers_each_row_in_the_form_of_the_name(studio, tmp_path):
    write_letters(tmp_path / "new.csv", rows=3)
    for name in ("out.jsonl", "out.csv"):
        told = studio("predict", studio.run, tmp_path / "new.csv", "--output", tmp_path / name, "--max-new-tokens", 4)
        assert told["rows"] == 3 and Path(told["output"]).exists()
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["question"] for row in rows] == [row["question"] for row in table] and len(rows) == 3
    assert studio.refused("predict", studio.run, tmp_path / "new.csv", "--output", tmp_path / "out.docx")


@pytest.mark.parametrize("form", ["adapter", "merged"])
def test_export_writes_a_folder_that_was_replayed(studio, form):
    told = studio("export", studio.run, "--to", form)
    assert told["format"] == form and any(Path(told["path"]).glob("*.safetensors"))
    assert json.loads((Path(told["path"]).parent / "parity.json").read_text())["rows"]


def test_a_run_is_deleted_and_restored(studio):
    short = studio("train", "--dataset", "letters", "--model", "tiny", "--max-steps", 2, *FAST, "--wait")["id"]
    assert studio("delete", short)["deleted"]
    assert short not in [item["id"] for item in studio("runs")["runs"]]
    assert studio.refused("evaluate", short)
    assert studio("restore", short)["restored"]
    assert studio.status(short) == "finished"


def test_flags_file_and_preset_are_laid_over_one_another(studio, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({"dataset": "letters", "model": "tiny", "epochs": 2, "batch_size": 3}))
    told = studio("train", "--preset", "thorough", "--config", tmp_path / "s.json", "--max-steps", 5, "--check")[
        "check"
    ]
    settings = told["settings"]
    assert (settings["max_steps"], settings["epochs"], settings["batch_size"]) == (5, None, 3)
    assert settings["method"]["rank"] == 32 and told["steps"] == 5


def test_killing_the_command_leaves_the_run_going(studio):
    command = studio.start(
        "train", "--dataset", "letters", "--model", "tiny", "--max-steps", 40, "--name", "killed", *FAST, "--wait"
    )
    deadline = time.monotonic() + 180
    run = None
    while run is None:
        assert time.monotonic() < deadline
        run = next((item["id"] for item in studio("runs")["runs"] if item["name"] == "killed" and item["step"]), None)
    command.send_signal(signal.SIGKILL)
    command.communicate()
    while (status := studio.status(run)) != "finished":
        assert status == "running" and time.monotonic() < deadline + 60
        time.sleep(0.1)


def test_stop_and_resume_by_command(studio):
    run = studio("train", "--dataset", "letters", "--model", "tiny", "--max-steps", 150, *FAST)["id"]
    deadline = time.monotonic() + 180
    while not next(item["step"] for item in studio("runs")["runs"] if item["id"] == run):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert studio("stop", run)["status"] in ("stopping", "stopped")
    while studio.status(run) != "stopped":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (studio.root / "runs" / run / "adapter").is_dir(), "a stopped run leaves a usable adapter"
    told = studio("resume", run, "--wait")
    assert (told["status"], told["steps"]) == ("finished", 150)
    assert studio.refused("resume", run)["why"]


def test_a_killed_worker_is_told_as_interrupted(studio):
    run = studio("train", "--dataset", "letters", "--model", "tiny", "--max-steps", 70, *FAST)["id"]
    folder = studio.root / "runs" / run
    deadline = time.monotonic() + 60
    pid = None
    while not (folder / "checkpoints").is_dir() or not any((folder / "checkpoints").glob("step-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for candidate in _pids():
        if str(folder) in _arguments(candidate) and "backend.train" in _arguments(candidate):
            pid = candidate
    assert pid, "a worker's command line names its run's folder"
    os.kill(pid, signal.SIGKILL)
    while studio.status(run) != "interrupted":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert studio("resume", run, "--wait")["steps"] == 70


REFUSALS = {
    "no such dataset": ["train", "--dataset", "nothing", "--model", "tiny"],
    "no dataset named": ["train", "--model", "tiny"],
    "unknown flag": ["train", "--dataset", "letters", "--colour", "red"],
    "wrong number": ["train", "--dataset", "letters", "--model", "tiny", "--epochs", "many"],
    "setting of another method": ["train", "--dataset", "letters", "--model", "tiny", "--method", "full", "--rank", 4],
    "no such model": ["train", "--dataset", "letters", "--model", "nothing"],
    "cut-off beyond the model": ["train", "--dataset", "letters", "--model", "tiny", "--cutoff", 999999],
    "goal that does not fit": ["train", "--dataset", "letters", "--model", "tiny", "--objective", "pretraining"],
    "a GPU that is not there": ["train", "--dataset", "letters", "--model", "tiny", "--device", "cuda"],
    "a name that leads out": ["train", "--dataset", "../letters", "--model", "tiny"],
    "no such run": ["evaluate", "nothing"],
    "no such file": ["import", "nowhere.csv", "--name", "x"],
    "a hub id without a network": ["models", "add", "someone/some-model"],
    "no such folder": ["models", "add", "./nowhere"],
    "no such settings file": ["train", "--config", "nowhere.json"],
}


@pytest.mark.parametrize("words", REFUSALS.values(), ids=REFUSALS)
def test_what_can_not_be_done_is_refused_in_words(studio, words):
    before = sorted(p.name for p in (studio.root / "runs").iterdir())
    assert studio.refused(*words)
    assert sorted(p.name for p in (studio.root / "runs").iterdir()) == before


def test_a_settings_file_with_an_unknown_key_names_it(studio, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({"dataset": "letters", "model": "tiny", "learnig_rate": 1}))
    assert "learnig_rate" in studio.refused("train", "--config", tmp_path / "s.json")["why"]


def test_rows_that_all_train_nothing_are_refused_before_a_run_is_made(studio, tmp_path):
    (tmp_path / "long.csv").write_text("question,answer\n" + "".join(f"{'why ' * 60}{n},yes\n" for n in range(12)))
    studio("import", tmp_path / "long.csv", "--name", "long")
    error = studio.refused("train", "--dataset", "long", "--model", "tiny", "--cutoff", 16)
    assert "nothing to learn" in error["what"].lower()


def test_two_commands_on_one_workspace_share_it(studio):
    first = studio.start("train", "--dataset", "letters", "--model", "tiny", "--max-steps", 20, *FAST, "--wait")
    second = studio.start("train", "--dataset", "letters", "--model", "tiny", "--max-steps", 20, *FAST, "--wait")
    for command in (first, second):
        out, err = command.communicate(timeout=240)
        assert command.returncode == 0, err
        assert json.loads(out)["status"] == "finished"


def test_check_changes_nothing(tmp_path):
    studio = Studio(tmp_path / "nowhere")
    assert studio("check")
    assert not studio.root.exists()
