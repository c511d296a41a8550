-- Fragment: whether the pause `p` stands, and covers one of `partners`.
p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = ANY (%(partners)s::text[]))
