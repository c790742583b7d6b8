"""Evaluate."""

from __future__ import annotations

import gradio as gr

from studio.workspace import Workspace


def build(workspace: Workspace) -> None:
    gr.HTML("<ft-evaluate></ft-evaluate>", apply_default_css=False)
