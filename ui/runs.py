"""Runs: the list, one run, several overlaid. All of it lives in assets/page/runs.js and is fed by run_feeds.py."""

from __future__ import annotations

import gradio as gr

from studio.workspace import Workspace


def build(workspace: Workspace) -> None:
    gr.HTML("<ft-runs></ft-runs>", apply_default_css=False)
