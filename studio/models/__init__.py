"""Models of the workspace: folders of safetensors, tokenizer and card, and the list of known ones to add."""

from studio.models.catalogue import Known, catalogue
from studio.models.folder import BrokenModel, Model, list_models, read_model

__all__ = ["BrokenModel", "Known", "Model", "catalogue", "list_models", "read_model"]
