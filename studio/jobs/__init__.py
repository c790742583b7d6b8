"""Jobs: long actions, each in its own process, each a folder.

`folder.py` says what a job's folder holds and its status, `local.py` starts and stops processes,
`queue.py` decides who runs next and who has the device, `follow.py` waits for one.
"""
