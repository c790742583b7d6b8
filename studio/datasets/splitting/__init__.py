"""Sides: what is trained on and what is held out, groups that stay together, strata, and the check for leaks."""
