-- Fragment: the hash of the hold `h` in evidence, with the ledger's key `k`.
encode(sha256(convert_to(
    -- include shared/hold_text.sql
, 'UTF8')), 'base64')
