"""Output only: tables, lists, progress, and files in each format. Reads documents and read models."""
