"""Rows looked at: listed, filtered, sorted and searched however many there are, and pictured as a whole."""
