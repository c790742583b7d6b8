"""Frozen versions: how one is written, made out of reviews, named, compared, and gone back to."""
