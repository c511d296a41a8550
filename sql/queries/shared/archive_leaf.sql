-- Fragment: the hash of the archive `v` in evidence.
encode(sha256(convert_to(
    -- include shared/archive_text.sql
, 'UTF8')), 'base64')
