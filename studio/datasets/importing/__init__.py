"""From records to the rows of a dataset: what a person named, what its columns mean, ids, sides, a frozen version."""
