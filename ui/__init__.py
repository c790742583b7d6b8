"""The pages: they draw what `studio` knows and ask it to start jobs. No torch, and never `backend`."""
