"""Several datasets made into one: by a recipe, or row by row."""
