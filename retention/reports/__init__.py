"""Read models of the ledger: a report, a round's history, a run. Package `render` shows them."""
