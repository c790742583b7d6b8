"""The workers: everything that needs the torch stack. Each job is a process: `python -m backend.<job> FOLDER`."""
