-- Fragment: the hash of the pause `p` in evidence.
encode(sha256(convert_to(
    -- include shared/pause_text.sql
, 'UTF8')), 'base64')
