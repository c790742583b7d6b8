"""The commands of `launch.py`, one verb a file; this list is what `--help` prints."""

from __future__ import annotations

COMMANDS = {
    "setup": "install what is missing and fetch the starter model",
    "check": "say what this machine has and what will work; changes nothing",
    "import": "turn files, a folder or a hub dataset into a dataset, or add them to one",
    "merge": "merge several datasets into a new one",
    "datasets": "list the datasets, tell what one looks like as a whole, or rename it",
    "rows": "look at rows, search, filter and order them; leave out, move or tag all that match",
    "split": "part the rows into training, validation and test, without leaks",
    "tag": "give tags to rows by words, by a pattern or from a column",
    "mix": "mix several datasets into a new one by weight",
    "doctor": "find duplicates, leaks, personal data and more in a dataset, and fix what you name",
    "review": "the next rows to judge, with suggestions; take judgements in, tell how far it is and who agrees",
    "freeze": "make a new version of a dataset with what people changed in it",
    "versions": "list, compare and name the versions of a dataset, or go back to one",
    "write": "let a model write more rows, for review",
    "map": "lay the rows of a dataset out so that like ones lie near each other",
    "save": "write a version of a dataset into a file: JSONL, CSV or Parquet",
    "index": "make a large dataset quick to sort and search; imports start it by themselves",
    "publish": "publish a version of a dataset on the Hugging Face hub, with a card",
    "models": "list the models; `models add starter|FOLDER|HUB_ID` adds one",
    "train": "fine-tune a model on a dataset",
    "campaign": "kill a training again and again, and check that it ends the same",
    "fit": "measure whether a run fits, in a throw-away process",
    "runs": "list the runs, or show one: how it ended, and what to do",
    "stop": "stop a run; what it learned is saved",
    "resume": "go on with a stopped, interrupted or failed run, with less memory where it ran out",
    "delete": "move a run, a dataset or a model to the trash",
    "restore": "take it out of the trash",
    "evaluate": "compare base and tuned on held-out rows",
    "chat": "ask base and tuned the same question",
    "predict": "let the tuned model answer each row of a file",
    "export": "write the adapter or the merged model, checked by replay",
    "benchmark": "measure speed and memory here, and against other trainers; prints the ratios",
    "demo": "the whole way on the starter data: import, train, evaluate",
}

# Verbs whose file can't bear their name: `import` is a keyword.
MODULES = {"import": "import_"}


def run(name: str, argv: list[str]) -> int:
    """Runs one command and returns its exit code: 0 only on success, 2 for a command line that can't be read."""
    from importlib import import_module

    from studio.commands.frame import main

    return main(name, import_module(f"studio.commands.{MODULES.get(name, name)}"), argv)
