"""Prints 100 MB. The sandbox keeps the head, and ends the run where the limit is."""

LINE = "0123456789" * 10 + "\n"

for _ in range(100 * 1024 * 1024 // len(LINE)):
    print(LINE, end="")
