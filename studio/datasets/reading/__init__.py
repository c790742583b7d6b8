"""Files as records: any file of examples is judged by what it holds, opened, and read record by record."""
