"""Train."""

from __future__ import annotations

import gradio as gr

from studio.workspace import Workspace


def build(workspace: Workspace) -> None:
    gr.HTML("<ft-train></ft-train>")
