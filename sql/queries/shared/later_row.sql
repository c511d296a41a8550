-- Fragment: whether a later enforcing run has a row for the round of `c`. A dry run's rows decide nothing.
EXISTS (
    SELECT FROM retention.cancellations n JOIN retention.runs m ON m.run_id = n.run_id
    WHERE n.partner = c.partner AND n.round_id = c.round_id AND n.id > c.id AND m.mode = 'enforce')
