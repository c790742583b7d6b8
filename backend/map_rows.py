"""Lays rows out so that like ones lie near each other: `python -m backend.map_rows FOLDER`.

By words: TF-IDF, reduced to 50 dimensions (latent semantic analysis, Deerwester et al. 1990). By a model: the mean of
the last layer over a row's tokens. Either is laid out in the plane by t-SNE (van der Maaten & Hinton 2008), all by
scikit-learn. The job's folder gets map.parquet: `row_id`, `x`, `y`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from backend.job import Job, StopRequested, run_job
from studio.datasets.browsing.pictures import MAP, text_of
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.errors import BadInput, Refused
from studio.files import whole_file
from studio.jobs import queue
from studio.libraries import heavy_imports
from studio.models import Model
from studio.settings.base import check
from studio.settings.picturing import MapSettings

Vectors = npt.NDArray[np.float32]
FEWEST = 10
DIMENSIONS = 50
PERPLEXITY = 30
HAIR = 1e-3
LONGEST = 256  # tokens of a row that a model reads
AT_ONCE = 16


def main(job: Job) -> dict[str, Any]:
    """Maps the rows that the settings name; `finished` says how many and by what."""
    _sklearn()
    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(MapSettings, given, "This map can't be made.")
    dataset = Dataset.open(job.workspace, settings.dataset)
    version = dataset.version_info(settings.version)["version"]
    job.progress(0, None, "rows", "reading rows")
    rows = [row for row in dataset.sample(version, settings.rows) if text_of(row).strip()]
    if len(rows) < FEWEST:
        raise BadInput(
            f"“{dataset.name}” has too few rows for a map.", f"A map needs {FEWEST} rows with text.", "Add rows first."
        )
    vectors = read_by(job, settings, rows)
    if job.should_stop():
        raise StopRequested
    job.progress(0, None, "rows", f"laying out {len(rows):,} rows")
    places = layout(vectors, settings.seed)
    table = pa.table({"row_id": [row.row_id for row in rows], "x": places[:, 0], "y": places[:, 1]})
    with whole_file(job.folder / MAP) as partial:
        pq.write_table(table, partial)
    total = int(dataset.version_info(version)["rows"])
    return {"dataset": dataset.name, "version": version, "rows": len(rows), "of": total, "by": settings.by}


def read_by(job: Job, settings: MapSettings, rows: Sequence[Row]) -> Vectors:
    """A vector for each row, [rows, dimensions]."""
    texts = [text_of(row) for row in rows]
    return by_words(texts, settings.seed) if settings.by == "words" else by_model(job, str(settings.model), texts)


def by_words(texts: Sequence[str], seed: int) -> Vectors:
    """The texts by their words, rare ones counting for more: [texts, at most 50], each of length 1."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    fewest = 2 if len(texts) > 500 else 1  # a word of one row in thousands brings it near to nothing
    words = TfidfVectorizer(sublinear_tf=True, min_df=fewest, max_df=0.5, max_features=50_000, dtype=np.float32)
    try:
        found = words.fit_transform(texts)
    except ValueError:  # no word is left: the rows share all of theirs, or have none
        words = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3), max_features=50_000, dtype=np.float32)
        found = words.fit_transform(texts)
    most = min(DIMENSIONS, found.shape[1] - 1, found.shape[0] - 1)
    if most < 2:
        return np.asarray(found.todense(), np.float32)
    vectors: Vectors = normalize(TruncatedSVD(most, random_state=seed).fit_transform(found)).astype(np.float32)
    return vectors


def by_model(job: Job, name: str, texts: Sequence[str]) -> Vectors:
    """The texts as a model reads them: the mean of its last layer over each text's first tokens, of length 1."""
    with heavy_imports():
        import torch
        from transformers import AutoModel, AutoTokenizer

        from backend.gpu import do_without_cudnn_attention, usable_gpu

    do_without_cudnn_attention()
    folder = Model.open(job.workspace, name).path
    job.message(f"Loading “{name}”")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    # A job that has the GPU was measured without a model beside it.
    device = "cuda" if usable_gpu() and not queue.holder_or_locked(job.workspace) else "cpu"
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval().to(device)
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))  # like lengths together: little padding
    found: list[Any] = [None] * len(texts)
    for start in range(0, len(order), AT_ONCE):
        job.progress(start, len(order), "rows", "reading rows with the model")
        if job.should_stop():
            raise StopRequested
        batch = order[start : start + AT_ONCE]
        inputs = tokenizer(
            [texts[at] for at in batch], return_tensors="pt", padding=True, truncation=True, max_length=LONGEST
        ).to(device)
        with torch.inference_mode():
            states = model(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"].unsqueeze(-1)
        means = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1).clamp(min=1), dim=-1)
        for at, vector in zip(batch, means.cpu().numpy(), strict=True):
            found[at] = vector
    return np.stack(found).astype(np.float32)


def layout(vectors: Vectors, seed: int) -> Vectors:
    """Places in the plane, [rows, 2], centred and between -1 and 1; the same for the same vectors and seed."""
    from sklearn.manifold import TSNE

    # Equal rows are moved apart by a hair: among equal vectors t-SNE divides by nothing.
    hair = np.random.default_rng(seed).normal(scale=HAIR, size=vectors.shape).astype(np.float32)
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 4)
    init = "pca" if min(vectors.shape) >= 2 else "random"
    places = TSNE(2, perplexity=perplexity, init=init, random_state=seed).fit_transform(vectors + hair)
    places -= (places.max(axis=0) + places.min(axis=0)) / 2
    scaled: Vectors = (places / max(float(np.abs(places).max()), 1e-9)).astype(np.float32)
    return scaled


def _sklearn() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise Refused(
            "Maps need a package that is not installed.",
            "scikit-learn lays rows out by likeness; the base set-up leaves it out.",
            "Install it with: python3 launch.py setup --extra map",
        ) from None


if __name__ == "__main__":
    run_job(main)
