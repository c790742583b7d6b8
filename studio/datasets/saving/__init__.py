"""A version taken elsewhere: in the forms other tools read, as tables, with a card."""
