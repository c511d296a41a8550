-- Fragment: the hash of the attempt `a` in evidence.
encode(sha256(convert_to(
    -- include shared/attempt_text.sql
, 'UTF8')), 'base64')
