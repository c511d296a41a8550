"""What the ledger, the vendor and the operator say of one round, compared."""
