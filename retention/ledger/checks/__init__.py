"""What `retention check` finds in the database. Only looks; changes nothing."""
