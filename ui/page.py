"""The whole page: header, tabs in the order of the work, and the server around them."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path
from typing import Any

import gradio as gr
import plotly
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from studio import __version__
from studio.errors import StudioError
from studio.workspace import Workspace
from ui import (
    answer_feeds,
    dataset_feeds,
    doctor_feeds,
    evaluation_feeds,
    export_feeds,
    feeds,
    home_feeds,
    import_feeds,
    map_feeds,
    mix_feeds,
    more_feeds,
    review_feeds,
    row_feeds,
    run_feeds,
    settings_feeds,
    split_feeds,
    tag_feeds,
    train_feeds,
    versions_feeds,
)
from ui.doorway import Doorway
from ui.edition import Edition
from ui.guard import Guard
from ui.password import Password
from ui.slashes import Slashes
from ui.telling import words
from ui.theme import theme

STYLES = ("studio.css", "doctor.css", "review.css", "split.css")
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
# Gradio looks at its queue a thousand times a second, which costs a tenth of a core; this is often enough.
QUEUE_SLEEP = 0.05
# What Gradio keeps for a page that is not looked at any more; its default is ten thousand pages.
SESSIONS = 200


def build(workspace: Workspace, host: str, largest_upload: int) -> FastAPI:
    """The ASGI app of one workspace."""
    password = Password(workspace.root)
    edition = Edition()
    app = FastAPI(title="FlexTune Studio", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.edition = edition
    app.include_router(feeds.router(workspace))
    app.include_router(run_feeds.router(workspace))
    app.include_router(row_feeds.router(workspace))
    app.include_router(dataset_feeds.router(workspace))
    app.include_router(versions_feeds.router(workspace))
    app.include_router(map_feeds.router(workspace))
    app.include_router(more_feeds.router(workspace))
    app.include_router(doctor_feeds.router(workspace))
    app.include_router(import_feeds.router(workspace, largest_upload))
    app.include_router(review_feeds.router(workspace))
    app.include_router(split_feeds.router(workspace))
    app.include_router(tag_feeds.router(workspace))
    app.include_router(mix_feeds.router(workspace))
    app.include_router(answer_feeds.router(workspace, largest_upload))
    app.include_router(evaluation_feeds.router(workspace))
    app.include_router(export_feeds.router(workspace))
    app.include_router(home_feeds.router(workspace))
    app.include_router(train_feeds.router(workspace))
    app.include_router(settings_feeds.router(workspace, host, password))
    app.add_api_route("/studio/assets/{edition}/{name:path}", edition.serve, methods=["GET"])
    app.add_api_route("/studio/plotly.js", _plotly, methods=["GET"])
    app.add_exception_handler(StudioError, _in_words)
    app.add_exception_handler(OSError, _in_words)
    app.add_exception_handler(Exception, our_fault)
    demo = blocks(workspace)
    app = gr.mount_gradio_app(
        app,
        demo,
        path="/",
        theme=theme(),
        css="\n".join(map(edition.text, STYLES)),
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        allowed_paths=[],
        max_file_size=largest_upload,
        mcp_server=False,
    )
    calm(demo)
    app.add_middleware(Slashes)
    app.add_middleware(Doorway, edition=edition)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Guard, host=host, password=password, largest=largest_upload, edition=edition.name)
    return app


def calm(demo: gr.Blocks) -> None:
    """Makes an idle server idle. Both attributes are Gradio's own business; a test notices when they change."""
    demo._queue.sleep_when_free = QUEUE_SLEEP
    demo.state_session_capacity = SESSIONS


def blocks(workspace: Workspace) -> gr.Blocks:
    """The tabs. Each tab's file has `build(workspace)`, called inside its tab."""
    from ui import compare, data, evaluate, export, home, runs, settings, train

    tabs = {
        "home": ("Home", home),
        "data": ("Data", data),
        "train": ("Train", train),
        "runs": ("Runs", runs),
        "compare": ("Compare", compare),
        "evaluate": ("Evaluate", evaluate),
        "export": ("Export", export),
        "settings": ("Settings", settings),
    }
    with gr.Blocks(title="FlexTune Studio", analytics_enabled=False, fill_width=True) as demo:
        gr.HTML(f'<ft-header data-version="{__version__}"></ft-header>', elem_id="header", apply_default_css=False)
        with gr.Tabs(elem_id="tabs") as shown:
            for key, (title, module) in tabs.items():
                with gr.Tab(title, id=key, elem_id=f"tab-{key}"):
                    module.build(workspace)

        def named(request: gr.Request) -> Any:
            """The tab that the address names (`?tab=runs`)."""
            wanted = request.query_params.get("tab", "")
            return gr.Tabs(selected=wanted if wanted in tabs else "home")

        demo.load(named, None, shown, show_progress="hidden", queue=False)
    return demo


def _plotly(request: Request) -> Response:
    """Plotly's own script, from the installed package; compressed once."""
    headers = {"Cache-Control": "public, max-age=86400"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_packed(), media_type="text/javascript", headers=headers | {"Content-Encoding": "gzip"})
    return Response(PLOTLY.read_bytes(), media_type="text/javascript", headers=headers)


@functools.cache
def _packed() -> bytes:
    return gzip.compress(PLOTLY.read_bytes(), 5)


async def _in_words(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": words(error)}, status_code=409)


async def our_fault(request: Request, error: Exception) -> JSONResponse:
    """A fault in the studio's own code: told to the page, and with its traceback by the server to its terminal.

    What is imported only when it is first needed may be of a newer version than what runs.
    """
    running = getattr(request.app.state, "edition", None)
    try:
        updated = running is not None and Edition().name != running.name
    except OSError:  # a file went away while it was looked at: an update is under way
        updated = True
    told = {
        "what": "The studio was updated while it was open." if updated else "The studio itself failed at this.",
        "why": f"{type(error).__name__}: {error}.",
        "next": "Close the studio, start it again and reload the page. Its terminal shows what failed.",
    }
    return JSONResponse({"error": told}, status_code=500)
