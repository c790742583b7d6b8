"""The one path from row to token: template, tokens, labels, truncation, packing. No torch, no Transformers."""
