"""The PostgreSQL edge: one method for each file of sql/queries/, rows in, values out."""
