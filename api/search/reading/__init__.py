"""What the words of a query say: quoted strings, names of files, numbers, dates, places, and what a picture shows."""
