"""`retention serve`: wakes at the scheduled times, keeps every scheduled run going, and tells people and machines."""
