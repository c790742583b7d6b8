"""What people do to rows: edits, tags and judgements, kept apart from the versions, with undo and a queue."""
