"""The vendor's API: one HTTP client, its connections, deadlines and network errors."""
